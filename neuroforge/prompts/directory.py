"""A run's directory: configuration, state and result, each written whole or not at all."""

import os
from pathlib import Path

from pydantic import ValidationError

from neuroforge.contracts.prompts import OptimizeConfig
from neuroforge.errors import ConflictError, DataError

CONFIG, STATE, RESULT = "config.json", "state.json", "result.json"


def claim(directory: Path, config: OptimizeConfig) -> None:
    """Write the configuration, or see that it is the one that is there.

    Raises:
        ConflictError: Another one is there; says what differs. DataError: What is there is none.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / CONFIG
    if not path.exists():
        write(path, config.model_dump_json(indent=2))
        return
    try:
        before = OptimizeConfig.model_validate_json(path.read_text())
    except ValidationError as error:
        raise DataError(f"{path}: is no configuration of this version; use another directory") from error
    if before != config:
        changed = sorted(name for name in OptimizeConfig.model_fields if getattr(before, name) != getattr(config, name))
        raise ConflictError(
            f"{directory} holds a run with another configuration ({', '.join(changed)}): use another directory, or "
            "give it the same to go on with it"
        )


def write(path: Path, text: str) -> None:
    """Put the text there whole, or leave what was there."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
