"""A file (a run's result, a program, an exported release) -> PromptRelease."""

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from neuroforge.contracts.base import Contract
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompts import PromptRelease
from neuroforge.errors import ConfigError, ConflictError, DataError
from neuroforge.prompts.program import load_program
from neuroforge.prompts.release import release_of_program, release_of_result

C = TypeVar("C", bound=Contract)
RESULT = "result.json"
_NEITHER = "holds neither a run's result, a release nor a program"


def read_release(
    path: Path, name: str | None = None, models: tuple[str, ...] = (), reason: str | None = None, force: bool = False
) -> PromptRelease:
    """Return what the file serves by name.

    Args:
        path: A run's directory or its result.json, an exported release, a program (YAML), or a prompt as text.
        name: What callers name; None = the run's or the release's own.
        models, reason: Of a program: what it was proven on, and why it is promoted.
        force: Serve a run's winner that was not proven to be better, too.
    Raises:
        DataError: It cannot be read, is none of these, or cannot be served by name.
        ConfigError: A program without a name, or models and reason for what brings its own.
        ConflictError: The run proved nothing, and that is not to be overlooked.
    """
    path = path / RESULT if path.is_dir() else path
    if not path.exists():
        raise DataError(f"{path} does not exist: give a run's directory, or a file")
    content = _content(path)
    is_result, is_release = "optimized" in content, "messages" in content
    if (is_result or is_release) and (models or reason):
        raise ConfigError(f"{path} brings its own models and reason: give those of a program only")
    if is_result:
        return _of_run(_checked(OptimizationResult, content, path), path, name, force)
    if is_release:
        release = _checked(PromptRelease, content, path)
        return PromptRelease(**{**dict(release), "name": name or release.name})
    if path.suffix == ".json":
        raise DataError(f"{path}: {_NEITHER}; a program is YAML")
    if name is None:
        raise ConfigError(f"{path} is a program, which has no name: say what callers shall name it")
    return release_of_program(load_program(path), name, reason or f"from {path.name}", models)


def _of_run(result: OptimizationResult, path: Path, name: str | None, force: bool) -> PromptRelease:
    if not result.is_promoted and not force:
        raise ConflictError(f"{path}: {result.sentence}; to serve its prompt all the same, force it")
    return release_of_result(result, name)


def _content(path: Path) -> dict[str, Any]:
    """The mapping in a YAML or JSON file; empty = it is a prompt as text."""
    if path.suffix not in (".yaml", ".yml", ".json"):
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: {_NEITHER}")
    return content


def _checked(kind: type[C], content: dict[str, Any], path: Path) -> C:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {place}: {str(first['msg']).removeprefix('Value error, ')}") from error
