from typing import Any

import pytest

from neuroforge.contracts.outcomes import Feedback
from neuroforge.contracts.routing import Outcome
from neuroforge.router.feedback import Standing, explicit_score, failure_weight, implicit_score, judge_feedback


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "decision_id": "d",
        "request_id": "r",
        "model_id": "small",
        "policy": "auto",
        "status": 200,
        "finish_reason": "stop",
        "n_prompt_tokens": 3,
        "n_completion_tokens": 5,
        "latency_s": 0.5,
    }
    return Outcome(**(fields | changes))


@pytest.mark.parametrize(
    "changes",
    [{"status": 500}, {"status": 502}, {"is_schema_valid": False}, {"n_completion_tokens": 0}],
    ids=["crash", "engine error", "schema", "empty"],
)
def test_a_failure_of_the_model_scores_0(changes: dict[str, Any]) -> None:
    assert implicit_score(outcome(**changes)) == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"is_schema_valid": True},
        {"status": 400},
        {"status": 429},
        {"status": 499},
        {"status": 503},
        {"status": 504},
        {"n_completion_tokens": 0, "finish_reason": None},
        {"n_completion_tokens": 0, "finish_reason": "length"},
        {"n_completion_tokens": 0, "n_prompt_tokens": 0},
        {"status": 400, "is_schema_valid": False},
    ],
)
def test_everything_else_stays_without_a_score(changes: dict[str, Any]) -> None:
    assert implicit_score(outcome(**changes)) is None


@pytest.mark.parametrize(
    ("given", "answer", "expected"),
    [
        ({"score": True}, None, 1.0),
        ({"score": False}, None, 0.0),
        ({"score": 0.25}, None, 0.25),
        ({"preferred_answer": "Paris"}, "Paris\n", 1.0),
        ({"preferred_answer": "Paris"}, "Rome", 0.0),
        ({"preferred_answer": "Paris"}, None, 0.0),
        ({"preferred_answer": ""}, "", 1.0),
    ],
)
def test_explicit_feedback_becomes_a_score(given: dict[str, Any], answer: str | None, expected: float) -> None:
    assert explicit_score(Feedback(decision_id="d", **given), answer) == expected


@pytest.mark.parametrize(
    ("n_rated", "n_answered", "expected"), [(0, 0, 0.02), (0, 1000, 0.02), (100, 1000, 0.1), (5, 5, 1.0), (6, 5, 1.0)]
)
def test_a_failure_weighs_as_often_as_answers_are_rated(n_rated: int, n_answered: int, expected: float) -> None:
    assert failure_weight(n_rated, n_answered) == expected


@pytest.mark.parametrize(
    ("before", "is_late", "expected"),
    [
        (None, False, "accepted"),
        (Standing(0.5, None, None), False, "duplicate"),
        (Standing(0.5, None, None), True, "duplicate"),
        (Standing(0.25, None, None), False, "replaced"),
        (Standing(0.5, None, "more words"), False, "replaced"),
        (None, True, "late"),
        (Standing(0.25, None, None), True, "late"),
    ],
)
def test_the_last_word_counts_and_the_same_again_changes_nothing(
    before: Standing | None, is_late: bool, expected: str
) -> None:
    assert judge_feedback(Standing(0.5, None, None), before, is_late) == expected
