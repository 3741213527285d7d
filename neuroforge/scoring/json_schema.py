"""Whether a reply is JSON that a schema describes."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from neuroforge.contracts.scores import Score

MAX_STEPS = 100_000
"""Keywords that are evaluated before a check is given up: about a second."""
PATTERN_TIMEOUT_S = 0.5
_FENCE = re.compile(r"\A\s*(?:```+|~~~+)[ \t]*(?:json)?[ \t]*\n(.*?)\n?[ \t]*(?:```+|~~~+)?\s*\Z", re.DOTALL)
Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]
_LEFT: ContextVar[list[int]] = ContextVar("steps left of the check that runs here")


class _GivenUpError(Exception):
    """The check takes too many steps, or too long."""


def score_json_schema(reply: str, schemas: Sequence[str]) -> Score:
    """1 if the reply is JSON that fits one of the schemas (draft 2020-12); prose around it is wrong, a fence is not.

    Not scored where nothing fits and a schema is none, refers to another document (none is ever fetched), or takes
    too long.
    """
    if not schemas:
        return Score(reason="no schema")
    try:
        value = read_json(reply)
    except ValueError as error:
        return Score(value=0.0, reason=str(error))
    answer = json.dumps(value, sort_keys=True, ensure_ascii=False)
    reasons: list[str] = []
    for text in schemas:
        try:
            first = _check(_read_schema(text), value)
        except _GivenUpError as error:
            return Score(reason=f"the schema {error}", answer=answer)
        except (ValueError, Unresolvable, RecursionError, TypeError, AttributeError) as error:
            # TypeError and the like are what the library makes of a schema that only looks like one.
            return Score(reason=f"the schema cannot be used: {error}", answer=answer)
        if first is None:
            return Score(value=1.0, answer=answer)
        reasons.append(_told(first))
    return Score(value=0.0, reason="; ".join(reasons), answer=answer)


def check_schema(text: str) -> None:
    """Return if the text is a JSON schema that refers to nothing outside itself.

    Raises:
        ValueError: It is not; says why.
    """
    schema = _read_schema(text)
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise ValueError(f"$ref {reference!r}: a schema may refer to itself (#/...) only")


def read_json(reply: str) -> Any:
    """Return the value of a reply that is JSON, or one code block of JSON.

    Raises:
        ValueError: It is not.
    """
    fenced = _FENCE.match(reply)
    try:
        return json.loads(fenced[1] if fenced else reply, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the reply is not JSON: {error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@lru_cache(maxsize=256)
def _read_schema(text: str) -> Any:
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the schema is not JSON: {error}") from error
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"no JSON schema: {error.message}") from error
    return schema


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one)


def _told(error: ValidationError) -> str:
    path = "".join(f"[{part!r}]" for part in error.absolute_path)
    return f"{path or 'the value'}: {error.message}"[:300]


def _check(schema: Any, value: Any) -> ValidationError | None:
    """Return the first thing that does not fit; nothing outside the schema is ever retrieved."""
    before = _LEFT.set([MAX_STEPS])
    try:
        return next(_bounded()(schema, registry=Registry()).iter_errors(value), None)
    finally:
        _LEFT.reset(before)


@cache
def _bounded() -> Any:
    """The validator class; made once, since that takes a millisecond."""

    def counted(check: Keyword) -> Keyword:
        def step(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
            left = _LEFT.get()
            left[0] -= 1
            if left[0] < 0:
                raise _GivenUpError("takes too many steps")
            return check(validator, value, instance, schema)

        return step

    keywords = {**Draft202012Validator.VALIDATORS, "pattern": _pattern, "patternProperties": _pattern_properties}
    return extend(Draft202012Validator, {name: counted(check) for name, check in keywords.items()})


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _search(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: dict[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "object"):
        for pattern, subschema in patterns.items():
            for name, value in instance.items():
                if _search(pattern, name):
                    yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _search(pattern: str, text: str) -> bool:
    try:
        return regex.search(pattern, text, timeout=PATTERN_TIMEOUT_S) is not None
    except TimeoutError as error:
        raise _GivenUpError(f"has the pattern {pattern!r}, which takes too long") from error
    except regex.error as error:
        raise _GivenUpError(f"has the pattern {pattern!r}: {error}") from error
