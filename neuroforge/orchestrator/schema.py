"""An answer's text + the response_format that was asked for -> whether it is that JSON.

The schema is the caller's and is checked in the gateway's own loop: it may fetch nothing, run no regular expression
and take no more than a bounded number of steps (docs/decisions/111).
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from neuroforge.contracts.base import JsonObject

MAX_STEPS = 10_000
"""Keywords that are evaluated before the check gives up: about 0.1 s."""
Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class _TooManyStepsError(Exception):
    """The schema cannot be checked in bounded time."""


def why_unchecked(response_format: Any) -> str | None:
    """Say why answers in this format cannot be checked; None = they can."""
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "json_object":
        return None
    if kind != "json_schema":
        return "no response_format of type json_object or json_schema is given"
    if '"pattern' in json.dumps(_schema_of(response_format)):
        return "schemas with pattern or patternProperties are not checked here"
    return None


def is_valid_answer(response_format: Any, text: str | None) -> bool | None:
    """Whether `text` is the JSON that was asked for; None = nothing was asked for, or it cannot be checked."""
    if response_format is None or why_unchecked(response_format) is not None:
        return None
    try:
        answer = json.loads(text or "")
    except (json.JSONDecodeError, RecursionError):
        return False
    if response_format["type"] == "json_object":
        return isinstance(answer, dict)
    validator, n_left = _bounded()
    n_left[0] = MAX_STEPS
    try:
        return bool(validator(_schema_of(response_format), registry=Registry()).is_valid(answer))
    except (_TooManyStepsError, SchemaError, Unresolvable, RecursionError, TypeError, AttributeError, ValueError):
        # Whatever a schema that is none makes of the library; the engine has refused or ignored it already.
        return None


def _schema_of(response_format: JsonObject) -> Any:
    return (response_format.get("json_schema") or {}).get("schema") or {}


@cache
def _bounded() -> tuple[Any, list[int]]:
    """The validator class, and how many steps it may still take.

    Made once: building the class takes a millisecond. A check runs without a pause, so one counter serves all.
    """
    n_left = [0]

    def counted(check: Keyword) -> Keyword:
        def step(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
            n_left[0] -= 1
            if n_left[0] < 0:
                raise _TooManyStepsError
            return check(validator, value, instance, schema)

        return step

    keywords = {name: counted(check) for name, check in Draft202012Validator.VALIDATORS.items()}
    return extend(Draft202012Validator, keywords), n_left
