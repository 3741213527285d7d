import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.orchestrator.answers import confidence_of, normalise_answer, text_of
from neuroforge.orchestrator.judge import read_score


@pytest.mark.parametrize(
    ("text", "comes_down_to"),
    [
        ("B", "B"),
        ("(B) because it is so", "B"),
        ("**C**", "C"),
        ("The answer is B.", "B"),
        ("We add 3 and 4, so the answer is 7.", "7"),
        ("It is 1,200", "1200"),
        ("so x = 3.50", "3.5"),
        (r"Hence \boxed{42}.", "42"),
        ("7 apples were eaten by Tom", "7 apples were eaten by tom"),
        ("Paris.", "paris"),
        ("  paris", "paris"),
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}'),
        ("", ""),
    ],
)
def test_two_ways_of_saying_it_are_one_vote(text: str, comes_down_to: str) -> None:
    assert normalise_answer(text) == comes_down_to


@given(st.text(max_size=300))
def test_any_text_comes_down_to_something(text: str) -> None:
    assert normalise_answer(text) == normalise_answer(f" {text} ")


def test_confidence_is_the_geometric_mean_of_the_probabilities() -> None:
    content = [{"token": "a", "logprob": math.log(0.5)}, {"token": "b", "logprob": math.log(0.125)}]
    body = {"choices": [{"logprobs": {"content": content}}]}
    assert confidence_of(body) == pytest.approx(0.25)
    assert confidence_of({"choices": [{}]}) is None


def test_a_tool_call_has_no_text() -> None:
    assert text_of({"choices": [{"message": {"content": None, "tool_calls": []}}]}) == ""


@pytest.mark.parametrize(
    ("reply", "score"), [("7", 0.7), ("Score: 10/10", 1.0), ("none", None), ("55", None), (None, None)]
)
def test_a_judges_reply_is_a_number_on_the_scale_or_nothing(reply: str | None, score: float | None) -> None:
    assert read_score(reply) == score
