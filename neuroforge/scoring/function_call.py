"""Whether a reply calls the right functions with the right arguments.

The rules are those that the Berkeley Function-Calling Leaderboard publishes for its AST categories (Patil et al.,
"The Berkeley Function Calling Leaderboard", ICML 2025), written anew:
- As many calls as expected, in any order, each expected one met by another call.
- The function's name is the same; `.` counts as `_`, since OpenAI's wire has no dots.
- Each argument equals one of its allowed values; "" among these says that it may be left out. Arguments that are not
  expected are wrong; so are those that the tool requires and that are missing.
- Texts are compared without letter case, spaces and `,./-_*^`, and with one kind of quote. A whole number will do where
  a fraction is expected, not the other way round; true is not 1.
- Lists are compared element by element; objects key by key, each with its own allowed values.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.scores import Score
from neuroforge.scoring.calls import FunctionCall, canonical, read_calls

_IGNORED = re.compile(r"[ ,./\-_*^]")
OMITTED = ""
"""Among the allowed values: the argument may be left out."""


class ExpectedCall(Contract):
    """One call that a right answer makes."""

    name: str
    arguments: dict[str, list[Any]] = Field(default_factory=dict)
    """By parameter: the values that are right."""


_EXPECTED = TypeAdapter(tuple[ExpectedCall, ...])


def read_expected(reference: str) -> tuple[ExpectedCall, ...]:
    """Return the calls of a reference: `[{"name": "f", "arguments": {"x": [1, 2], "unit": ["m", ""]}}]`; [] = no call.

    Raises:
        ValueError: It is not such a list; says where.
    """
    try:
        return _EXPECTED.validate_json(reference)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"])) or "the list"
        raise ValueError(f"expected calls: {path}: {first['msg']}") from error


def score_function_call(
    reply: str, references: Sequence[str], tool_calls: Sequence[JsonObject] = (), tools: Sequence[JsonObject] = ()
) -> Score:
    """1 if the calls are those of one of the references, by the rules above; no partial credit.

    Args:
        references: As `read_expected` reads them.
        tool_calls: OpenAI's; without them calls are looked for in the reply's text.
        tools: What could be called, for required parameters and whole numbers.
    """
    try:
        wanted = [read_expected(one) for one in references]
    except ValueError as error:
        return Score(reason=str(error))
    if not wanted:
        return Score(reason="no reference")
    try:
        calls = read_calls(reply, tool_calls)
    except ValueError as error:
        return Score(value=0.0, reason=str(error))
    answer = canonical(calls)
    schemas = {_bare(one["function"]["name"]): one["function"].get("parameters") or {} for one in tools}
    reasons = [_why_wrong(calls, expected, schemas) for expected in wanted]
    if None in reasons:
        return Score(value=1.0, answer=answer)
    return Score(value=0.0, reason=reasons[0], answer=answer)


def _why_wrong(
    calls: Sequence[FunctionCall], expected: Sequence[ExpectedCall], schemas: Mapping[str, JsonObject]
) -> str | None:
    """None = right."""
    if len(calls) != len(expected):
        return f"{len(calls)} calls where {len(expected)} are expected"
    reasons = [[_why_other(call, one, schemas.get(_bare(one.name), {})) for call in calls] for one in expected]
    by_call: dict[int, int] = {}

    def can_place(index: int, tried: set[int]) -> bool:
        """Kuhn's algorithm: whether the expected call finds a call of its own."""
        for number, reason in enumerate(reasons[index]):
            if reason is None and number not in tried:
                tried.add(number)
                if number not in by_call or can_place(by_call[number], tried):
                    by_call[number] = index
                    return True
        return False

    lost = next((index for index in range(len(expected)) if not can_place(index, set())), None)
    if lost is None:
        return None
    same = [
        why for call, why in zip(calls, reasons[lost], strict=True) if _bare(call.name) == _bare(expected[lost].name)
    ]
    return next((why for why in same if why), f"no call of {expected[lost].name} is left for what is expected")


def _why_other(call: FunctionCall, expected: ExpectedCall, schema: JsonObject) -> str | None:
    name = expected.name
    if _bare(call.name) != _bare(name):
        return f"{call.name} is called, not {name}"
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    for parameter in call.arguments:
        if parameter not in expected.arguments:
            return f"{name}: {parameter} is not expected"
    for parameter, allowed in expected.arguments.items():
        if parameter not in call.arguments:
            if OMITTED not in allowed or parameter in required:
                return f"{name}: {parameter} is missing"
            continue
        kind = (properties.get(parameter) or {}).get("type")
        if not any(_is_same(call.arguments[parameter], one, kind) for one in allowed):
            return f"{name}: {parameter} is none of the right values"
    return None


def _is_same(value: Any, wanted: Any, kind: str | None = None) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool) or wanted is None or value is None:
        return value is wanted
    if isinstance(wanted, int | float):
        is_fraction = isinstance(value, float) and kind == "integer"
        return isinstance(value, int | float) and not is_fraction and value == wanted
    if isinstance(wanted, str):
        return isinstance(value, str) and _plain(value) == _plain(wanted)
    if isinstance(wanted, list):
        is_list = isinstance(value, list) and len(value) == len(wanted)
        return is_list and all(_is_same(*pair) for pair in zip(value, wanted, strict=True))
    return isinstance(value, dict) and isinstance(wanted, dict) and _is_same_object(value, wanted)


def _is_same_object(value: JsonObject, wanted: JsonObject) -> bool:
    if set(value) - set(wanted):
        return False
    for key, allowed in wanted.items():
        options = allowed if isinstance(allowed, list) else [allowed]
        if key not in value:
            if OMITTED not in options:
                return False
        elif not any(_is_same(value[key], one) for one in options):
            return False
    return True


def _plain(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _bare(name: str) -> str:
    return name.replace(".", "_")
