"""pydantic's findings -> one line each that a person can act on."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

_MESSAGE_BY_TYPE = {
    "missing": "is required",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
}
_NEVER_SHOWN = ("database_url", "base_url", "api_key_env", "tracking.url", "objects_url")
_LONGEST_SHOWN = 80


def explain(problem: Any, root: type[BaseModel]) -> str:
    """Return `path.of.the[0].key: what is wrong`, with the nearest valid name of an unknown key.

    Args:
        problem: One of `ValidationError.errors()`.
        root: The type that was validated.
    """
    location: tuple[str | int, ...] = problem["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if problem["type"] != "extra_forbidden":
        message = _MESSAGE_BY_TYPE.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        return f"{path or 'settings'}: {message}{_shown(path, problem)}"
    name = str(location[-1])
    valid = sorted(_valid_names(root, location[:-1]))
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"valid names: {', '.join(valid)}"
    return f"{path}: unknown key; {hint}"


def _shown(path: str, problem: Any) -> str:
    """Return the value that was wrong, if it is short enough to help and cannot hold a secret."""
    value = problem["input"]
    is_plain = isinstance(value, str | int | float | bool) or value is None
    if not is_plain or problem["type"] == "missing" or path.endswith(_NEVER_SHOWN):
        return ""
    text = repr(value)
    return f" (got {text})" if len(text) <= _LONGEST_SHOWN else ""


def _valid_names(root: type[BaseModel], location: Iterable[str | int]) -> set[str]:
    model = root
    for part in location:
        if isinstance(part, int):
            continue
        nested = _model_in(model.model_fields[part].annotation) if part in model.model_fields else None
        if nested is None:
            return set()
        model = nested
    return set(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)
