import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.scores import Score
from neuroforge.scoring.json_schema import check_schema, score_json_schema

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def score(reply: str, *schemas: Any) -> Score:
    return score_json_schema(reply, [json.dumps(one) for one in schemas])


@pytest.mark.parametrize(
    "reply",
    ['{"age": 3, "name": "Ann"}', '```json\n{"age": 3, "name": "Ann"}\n```', ' \n{"age": 3,\n"name": "Ann"}\n'],
)
def test_json_that_fits_is_right(reply: str) -> None:
    found = score(reply, PERSON)
    assert (found.value, found.answer) == (1.0, '{"age": 3, "name": "Ann"}')


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("Ann is 3.", "the reply is not JSON"),
        ('Here: {"age": 3, "name": "Ann"}', "the reply is not JSON"),
        ('{"name": "Ann"}', "the value: 'age' is a required property"),
        ('{"age": -1, "name": "Ann"}', "['age']: -1 is less than the minimum of 0"),
        ("NaN", "NaN is not JSON"),
        ("[" * 100_000, "the reply is not JSON"),
    ],
)
def test_what_does_not_fit_is_wrong_and_says_why(reply: str, reason: str) -> None:
    found = score(reply, PERSON)
    assert found.value == 0.0
    assert reason in str(found.reason)


def test_any_schema_will_do() -> None:
    assert score("3", PERSON, {"type": "integer"}).value == 1.0


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"pattern": "("},
        {"pattern": "^(a|aa)+$"},
    ],
)
def test_a_schema_that_cannot_be_used_scores_nothing(schema: dict[str, Any]) -> None:
    found = score('"' + "a" * 60 + '!"', schema)
    assert found.value is None
    assert "schema" in str(found.reason)


def test_a_schema_of_too_many_steps_is_given_up() -> None:
    bomb: dict[str, Any] = {"$defs": {"n0": {"type": "string"}}, "$ref": "#/$defs/n20"}
    for number in range(1, 21):
        below = {"$ref": f"#/$defs/n{number - 1}"}
        bomb["$defs"][f"n{number}"] = {"allOf": [below, below]}
    assert score("1", bomb).reason is not None
    assert score('"x"', bomb).value is None


@pytest.mark.parametrize("reference", ["http://x/y", "file:///x", "other.json#/a"])
def test_no_other_document_may_be_named(reference: str) -> None:
    with pytest.raises(ValueError, match="may refer to itself"):
        check_schema(json.dumps({"properties": {"a": {"anyOf": [{"items": {"$ref": reference}}]}}}))


def test_a_schema_may_refer_to_itself() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    check_schema(json.dumps(tree))
    assert score('{"child": {"child": {}}}', tree).value == 1.0
    assert score('{"child": {"child": 3}}', tree).value == 0.0


def test_pattern_properties_are_checked() -> None:
    schema = {"patternProperties": {"^n": {"type": "number"}}}
    assert score('{"n1": 2, "x": "y"}', schema).value == 1.0
    assert score('{"n1": "2"}', schema).value == 0.0


def test_without_a_schema_nothing_is_scored() -> None:
    assert score("3").value is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_every_json_value_fits_the_empty_schema(value: Any) -> None:
    assert score(json.dumps(value), {}).value == 1.0
