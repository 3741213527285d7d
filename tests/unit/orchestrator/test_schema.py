from typing import Any

import pytest

from neuroforge.orchestrator.schema import is_valid_answer, why_unchecked

POINT = {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}, "additionalProperties": False}


def asked(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ('{"x": 1}', True),
        ('{"x": 1.5}', False),
        ('{"x": 1, "y": 2}', False),
        ("{x: 1}", False),
        ("", False),
        (None, False),
    ],
)
def test_an_answer_is_held_against_its_schema(text: str | None, is_valid: bool) -> None:
    assert is_valid_answer(asked(POINT), text) is is_valid


@pytest.mark.parametrize(("text", "is_valid"), [("{}", True), ("[]", False), ("1", False), ("no", False)])
def test_a_json_object_is_an_object(text: str, is_valid: bool) -> None:
    assert is_valid_answer({"type": "json_object"}, text) is is_valid


@pytest.mark.parametrize("response_format", [None, {"type": "text"}])
def test_where_no_json_was_asked_for_nothing_is_judged(response_format: Any) -> None:
    assert is_valid_answer(response_format, "{}") is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "(a+)+$"},
        {"patternProperties": {"(a+)+$": {}}},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#"},
        {"type": 5},
        {"properties": 3},
        "no schema",
    ],
)
def test_a_schema_that_cannot_be_checked_safely_judges_nothing(schema: Any) -> None:
    assert is_valid_answer(asked(schema), "{}") is None


def test_a_schema_that_would_take_for_ever_is_given_up() -> None:
    twice = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    assert is_valid_answer(asked({"$defs": {**twice, "a40": {}}, "$ref": "#/$defs/a0"}), "1") is None


def test_the_reason_names_what_is_in_the_way() -> None:
    assert why_unchecked(asked(POINT)) is None
    assert "pattern" in (why_unchecked(asked({"pattern": "x"})) or "")
    assert "response_format" in (why_unchecked(None) or "")
