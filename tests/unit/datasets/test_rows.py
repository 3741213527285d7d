from typing import Any

import pytest

from neuroforge.datasets.rows import QuestionRow, build_item


def build(**fields: Any) -> Any:
    return build_item(QuestionRow.model_validate(fields), "quiz")


def test_choices_are_lettered_and_shown() -> None:
    made = build(question="Which?", choices=["red", "blue"], reference="blue")
    assert made.query == "Which?\nA. red\nB. blue\n\nAnswer with the letter of the right choice only."
    assert (made.scorer, made.labels, made.references) == ("choice", ("A", "B"), ("B",))


def test_the_reference_may_be_a_letter() -> None:
    assert build(question="Which?", choices=["red", "blue"], reference="b").references == ("B",)


def test_a_choices_text_goes_before_its_letter() -> None:
    assert build(question="Which?", choices=["B", "A"], reference="A").references == ("B",)


def test_numbers_may_be_choices() -> None:
    assert build(question="1+1?", choices=[1, 2], reference=2).references == ("B",)


def test_yes_and_no_are_not_lettered() -> None:
    made = build(question="Is it?", context="It is.", choices=["Yes", "No"], reference="yes")
    assert made.query == "It is.\n\nIs it?\n\nAnswer with Yes or No only."
    assert (made.labels, made.references) == (("Yes", "No"), ("Yes",))


def test_a_query_is_sent_as_it_is() -> None:
    assert build(query="  Say 5 ", reference=5, scorer="numeric").query == "  Say 5 "


def test_a_number_is_asked_for_where_one_is_scored() -> None:
    made = build(question="2+3?", reference=5, scorer="numeric", unit="apples", tolerance=0.5)
    assert made.query == "2+3?\n\nAnswer with the number only."
    assert (made.references, made.unit, made.tolerance) == (("5",), "apples", 0.5)


def test_code_shows_its_preamble_and_needs_no_reference() -> None:
    made = build(question="Complete it.", preamble="def f():\n", tests="assert f() == 1", entry_point="f")
    assert "```python\ndef f():\n```" in made.query
    assert made.scorer == "code"
    assert (made.code.tests, made.code.entry_point, made.code.preamble) == ("assert f() == 1", "f", "def f():\n")


def test_the_same_content_has_the_same_id_whatever_its_task() -> None:
    one = build(question="Which?", choices=["red", "blue"], reference="blue", task="x")
    assert one.id == build(question="Which?", choices=["red", "blue"], reference="B", task="y").id


def test_other_content_has_another_id() -> None:
    one = build(question="Which?", choices=["red", "blue"], reference="blue")
    assert one.id != build(question="Which?", choices=["red", "blue"], reference="red").id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reference": "x"}, "question and query"),
        ({"question": "q", "query": "q", "reference": "x"}, "question and query"),
        ({"query": "q", "context": "c", "reference": "x"}, "context"),
        ({"question": "q", "reference": "x"}, "scorer is missing"),
        ({"question": "q", "scorer": "exact"}, "needs a reference"),
        ({"question": "q", "scorer": "code"}, "needs tests"),
        ({"question": "q", "choices": ["a"], "reference": "a"}, "at least two choices"),
        ({"question": "q", "choices": ["a", "A"], "reference": "a"}, "the same"),
        ({"question": "q", "choices": ["x", "y"], "reference": "z"}, "neither a choice"),
        ({"question": "q", "choices": [str(n) for n in range(27)], "reference": "0"}, "at most 26"),
        ({"question": "q", "scorer": "f2", "reference": "x"}, "exact"),
    ],
)
def test_a_row_that_cannot_be_scored_says_why(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**fields)


def test_items_without_the_newer_columns_keep_their_ids() -> None:
    """As they were in the first release."""
    assert build(question="Which?", choices=["red", "blue"], reference="blue").id == "db40d6709e601a82"
    same = build(question="Which?", choices=["red", "blue"], reference="blue", split="test", paraphrase_of="p")
    assert (same.id, same.split, same.paraphrase_of) == ("db40d6709e601a82", "test", "p")


def test_templates_see_the_columns_but_not_the_answer() -> None:
    made = build(question="2+3?", reference=5, scorer="numeric", unit="apples")
    assert made.fields == {"question": "2+3?", "scorer": "numeric", "unit": "apples"}


def test_a_conversations_last_message_is_the_question() -> None:
    said = [("user", "Hi"), ("assistant", "?"), ("user", "2+3")]
    talk = [{"role": role, "content": content} for role, content in said]
    made = build(messages=talk, reference=5, scorer="numeric")
    assert (made.query, made.messages) == ("2+3", tuple(talk[:2]))
    assert made.id != build(query="2+3", reference=5, scorer="numeric").id


@pytest.mark.parametrize(
    "talk", [[{"role": "robot", "content": "Hi"}], [{"role": "assistant", "content": "Hi"}], [{"role": "user"}]]
)
def test_a_conversation_that_asks_nothing_is_refused(talk: list[Any]) -> None:
    with pytest.raises(ValueError, match="message"):
        build(messages=talk, reference=5, scorer="numeric")


@pytest.mark.parametrize(
    ("scorer", "reference", "kept"),
    [
        ("json_schema", {"type": "object"}, ('{"type": "object"}',)),
        ("json_schema", '{"type": "object"}', ('{"type": "object"}',)),
        ("function_call", [{"name": "f"}, {"name": "g"}], ('[{"name": "f"}, {"name": "g"}]',)),
        ("function_call", [[{"name": "f"}], [{"name": "g"}]], ('[{"name": "f"}]', '[{"name": "g"}]')),
        ("function_call", "[]", ("[]",)),
    ],
)
def test_schemas_and_calls_may_be_written_as_they_are(scorer: str, reference: Any, kept: tuple[str, ...]) -> None:
    assert build(query="q", scorer=scorer, reference=reference).references == kept


@pytest.mark.parametrize(
    ("scorer", "reference", "message"),
    [
        ("regex", "(", "no regular expression"),
        ("json_schema", {"type": "x"}, "no JSON schema"),
        ("numeric", "x", "no number"),
    ],
)
def test_a_reference_that_its_scorer_cannot_use_is_refused(scorer: str, reference: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(query="q", scorer=scorer, reference=reference)
