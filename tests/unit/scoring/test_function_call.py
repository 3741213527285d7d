import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.scores import Score
from neuroforge.scoring.calls import FunctionCall, read_calls
from neuroforge.scoring.function_call import read_expected, score_function_call

AREA = {"name": "area", "arguments": {"base": [10], "unit": ["m", ""]}}
TOOL = {
    "type": "function",
    "function": {
        "name": "area",
        "parameters": {
            "type": "object",
            "properties": {"base": {"type": "integer"}, "unit": {"type": "string"}},
            "required": ["base"],
        },
    },
}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def score(calls: list[dict[str, Any]], *expected: Any, tools: Any = (TOOL,)) -> Score:
    return score_function_call("", [json.dumps(list(expected))], calls, tools)


def test_the_right_call_is_right() -> None:
    found = score([call("area", base=10, unit="m")], AREA)
    assert (found.value, found.answer) == (1.0, '[{"arguments": {"base": 10, "unit": "m"}, "name": "area"}]')


def test_what_may_be_left_out_may_be_left_out() -> None:
    assert score([call("area", base=10)], AREA).value == 1.0


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([], "0 calls where 1 are expected"),
        ([call("area", base=10), call("area", base=10)], "2 calls where 1 are expected"),
        ([call("volume", base=10)], "no call of area is left"),
        ([call("area", unit="m")], "area: base is missing"),
        ([call("area", base=11)], "area: base is none of the right values"),
        ([call("area", base=10, height=2)], "area: height is not expected"),
        ([call("area", base="10")], "area: base is none of the right values"),
        ([call("area", base=10.0)], "area: base is none of the right values"),
        ([{"function": {"name": "area", "arguments": "{base: 10}"}}], "the arguments of area are not JSON"),
        ([{"function": {"name": "area", "arguments": "[1]"}}], "the arguments of area are not an object"),
    ],
)
def test_what_is_wrong_is_told(calls: list[dict[str, Any]], reason: str) -> None:
    found = score(calls, AREA)
    assert found.value == 0.0
    assert reason in str(found.reason)


def test_what_the_tool_requires_may_not_be_left_out() -> None:
    assert score([call("area")], {"name": "area", "arguments": {"base": [10, ""]}}).value == 0.0


@pytest.mark.parametrize(
    ("value", "allowed", "value_is_right"),
    [
        ("New York, NY", ["new york ny"], True),
        ("O'Neil", ['o"neil'], True),
        ("NYC", ["New York"], False),
        (5, [5.0], True),
        (5.5, [5], False),
        (True, [1], False),
        (1, [True], False),
        (False, [False], True),
        (None, [None], True),
        ([1, "A b"], [[1, "ab"]], True),
        ([1], [[1, 2]], False),
        ([2, 1], [[1, 2]], False),
        ({"w": 3, "u": "CM"}, [{"w": [2, 3], "u": ["cm", ""]}], True),
        ({"w": 3}, [{"w": [3], "u": ["cm", ""]}], True),
        ({"w": 3}, [{"w": [3], "u": ["cm"]}], False),
        ({"w": 3, "z": 1}, [{"w": [3]}], False),
        ([{"f": "age"}], [[{"f": ["Age"]}]], True),
        ("x", [["x"]], False),
        ("x", [{"x": [1]}], False),
    ],
)
def test_values_are_compared_by_their_kind(value: Any, allowed: list[Any], value_is_right: bool) -> None:
    found = score([call("f", x=value)], {"name": "f", "arguments": {"x": allowed}}, tools=())
    assert found.value == float(value_is_right)


def test_parallel_calls_may_come_in_any_order_and_each_counts_once() -> None:
    one, two = ({"name": "f", "arguments": {"x": values}} for values in ([1, 2], [1]))
    assert score([call("f", x=1), call("f", x=2)], one, two).value == 1.0
    assert score([call("f", x=2), call("f", x=1)], one, two).value == 1.0
    assert score([call("f", x=2), call("f", x=2)], one, two).value == 0.0


def test_dots_in_names_are_underscores() -> None:
    assert score([call("math_add", x=1)], {"name": "math.add", "arguments": {"x": [1]}}).value == 1.0


def test_where_no_call_is_right_talking_is() -> None:
    assert score_function_call("I have no such tool.", ["[]"]).value == 1.0
    assert score_function_call("", ["[]"], [call("f")]).value == 0.0


def test_any_of_several_references_will_do() -> None:
    references = [json.dumps([{"name": name}]) for name in ("f", "g")]
    assert score_function_call("", references, [call("g")]).value == 1.0


@pytest.mark.parametrize(
    "reference", ["{}", "nonsense", '[{"arguments": {}}]', '[{"name": "f", "arguments": {"x": 1}}]']
)
def test_a_reference_that_is_no_list_of_calls_scores_nothing(reference: str) -> None:
    assert score_function_call("", [reference], [call("f")]).value is None
    with pytest.raises(ValueError, match="expected calls"):
        read_expected(reference)


@pytest.mark.parametrize(
    "reply",
    [
        '{"name": "f", "arguments": {"x": 1}}',
        '[{"name": "f", "parameters": {"x": 1}}]',
        '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
        'Sure:\n```json\n[{"function": {"name": "f", "arguments": "{\\"x\\": 1}"}}]\n```',
        "[f(x=1)]",
        "f(x=1)",
        "```python\nf(x=1)\n```",
    ],
)
def test_calls_are_read_out_of_text(reply: str) -> None:
    assert read_calls(reply) == [FunctionCall("f", {"x": 1})]


@pytest.mark.parametrize("reply", ["f(1)", "f(**x)", "f(x=g())", "(lambda: 1)(x=1)", "hello", "", "[]", "[1]", "{}"])
def test_what_is_no_call_by_keywords_is_none(reply: str) -> None:
    assert read_calls(reply) == []


@given(st.text(max_size=80))
def test_any_reply_can_be_read(reply: str) -> None:
    assert score_function_call(reply, ['[{"name": "no such"}]']).value == 0.0
