import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.engines.llamacpp_tools import ForcedCallReader, forced_call
from neuroforge.errors import RequestError, UnsupportedParameter


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", **parameters}}}


def chosen(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def call_of(deltas: list[dict[str, Any]]) -> tuple[str, str]:
    arguments = "".join(delta["function"]["arguments"] for delta in deltas)
    return deltas[0]["function"]["name"], arguments


def test_one_chosen_function_is_the_whole_schema() -> None:
    assert forced_call([tool("f"), tool("g")], chosen("g")) == {
        "type": "object",
        "properties": {"name": {"const": "g"}, "arguments": {"type": "object"}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def test_required_allows_any_of_them() -> None:
    calls = forced_call([tool("f"), tool("g")], "required")["anyOf"]
    assert [call["properties"]["name"]["const"] for call in calls] == ["f", "g"]


def test_definitions_move_to_the_root() -> None:
    schema = forced_call([tool("f", **{"$defs": {"city": {"type": "string"}}})], "required")
    assert schema["$defs"] == {"city": {"type": "string"}}
    assert "$defs" not in schema["properties"]["arguments"]


def test_definitions_of_one_name_must_agree() -> None:
    tools = [tool("f", **{"$defs": {"x": {"type": "string"}}}), tool("g", **{"$defs": {"x": {"type": "null"}}})]
    with pytest.raises(UnsupportedParameter, match="define 'x' differently"):
        forced_call(tools, "required")


def test_an_unknown_function_cannot_be_chosen() -> None:
    with pytest.raises(RequestError, match="not in tools"):
        forced_call([tool("f")], chosen("nope"))


def test_another_kind_of_choice_is_refused() -> None:
    with pytest.raises(UnsupportedParameter):
        forced_call([tool("f")], {"type": "allowed_tools"})


def test_the_name_comes_first_and_once() -> None:
    reader = ForcedCallReader()
    assert reader.feed('{"name": "f", "argu') == []
    first, second = reader.feed('ments": {"a"')
    assert first["function"] == {"name": "f", "arguments": ""}
    assert first["id"].startswith("call_")
    assert second == {"index": 0, "function": {"arguments": '{"a"'}}


arguments = st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), st.lists, max_leaves=5), max_size=4)


@settings(deadline=None)
@given(arguments, st.lists(st.integers(1, 9), min_size=1, max_size=200), st.sampled_from([None, 2]))
def test_any_call_cut_anywhere_comes_out_whole(value: Any, cuts: list[int], indent: int | None) -> None:
    text = json.dumps({"name": "f", "arguments": value}, indent=indent)
    reader, deltas, at = ForcedCallReader(), [], 0
    for cut in [*cuts, len(text)]:
        deltas += reader.feed(text[at : at + cut])
        at += cut
    name, joined = call_of(deltas)
    assert name == "f"
    assert json.loads(joined) == value
