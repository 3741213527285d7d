"""A run's directory: what its files are called, and whose run it is."""

from pathlib import Path

from pydantic import ValidationError

from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.errors import ConflictError, DataError
from neuroforge.storage.files import write_whole

CONFIG, STATE, RESULT, REPORT = "config.json", "state.json", "result.json", "report.html"
CANDIDATES, EVALUATIONS = "candidates.parquet", "evaluations.parquet"


def claim(directory: Path, config: OptimizeConfig) -> None:
    """Write the configuration, or see that it is the one that is there.

    Raises:
        ConflictError: Another one is there; says what differs. DataError: What is there is none.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / CONFIG
    if not path.exists():
        write_whole(path, config.model_dump_json(indent=2).encode())
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
