"""task.yaml -> OptimizeConfig: the configuration as people write it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.datasets.pipeline import Source
from neuroforge.errors import DataError
from neuroforge.settings_errors import explain


def read_task(path: Path, overrides: Mapping[str, Any], limits: Mapping[str, Any] | None = None) -> OptimizeConfig:
    """Return the configuration in a file, with what the command line says instead; `limits` are parts of its budget.

    `dataset` may be written as `name:100` or as a path that counts from the file's directory; `prompt` as a path of a
    text file by `prompt_file`; `program` as a mapping or a path of a YAML file.

    Raises:
        DataError: It cannot be read, or a key or value cannot be; names the path and the nearest key.
    """
    content = _read_yaml(path)
    if "prompt_file" in content:
        content["prompt"] = _read_text(path.parent / str(content.pop("prompt_file")))
    if isinstance(program := content.get("program"), str):
        content["program"] = _read_yaml(path.parent / program)
    content.update({name: value for name, value in overrides.items() if value is not None})
    if limits:
        budget = content.get("budget") or {}
        content["budget"] = {**budget, **limits} if isinstance(budget, dict) else budget
    if isinstance(dataset := content.get("dataset"), str):
        content["dataset"] = _source(dataset, path.parent)
    return parse_task(content, str(path))


def parse_task(fields: Mapping[str, Any], where: str) -> OptimizeConfig:
    """Return the configuration that these fields make.

    Args:
        where: They stand, for messages.
    Raises:
        DataError: A key or value cannot be; names the nearest key.
    """
    try:
        return OptimizeConfig.model_validate(fields)
    except ValidationError as error:
        lines = [explain(problem, OptimizeConfig) for problem in error.errors(include_url=False)]
        raise DataError(f"{where}: {'; '.join(lines)}") from error


def _source(text: str, directory: Path) -> dict[str, Any]:
    source = Source.parse(text)
    near = directory / source.name
    return {"name": str(near) if near.is_file() else source.name, "n": source.n}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_read_text(path))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: must be a mapping, for example `name: ...`, `prompt: ...`, `dataset: ...`")
    return content


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
