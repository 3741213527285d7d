import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.scoring.regex import check_pattern, score_regex


@pytest.mark.parametrize(
    ("reply", "patterns", "value", "answer"),
    [
        ("It is 42 apples", (r"\d+ apples",), 1.0, "42 apples"),
        ("It is 42 apples", (r"(\d+) apples",), 1.0, "42"),
        ("no", ("yes", "no"), 1.0, "no"),
        ("YES", ("(?i)^yes$",), 1.0, "YES"),
        ("yes, sir", ("^yes$",), 0.0, None),
        ("", ("^$",), 1.0, ""),
    ],
)
def test_a_pattern_is_found_anywhere_unless_it_says_where(
    reply: str, patterns: tuple[str, ...], value: float, answer: str | None
) -> None:
    found = score_regex(reply, patterns)
    assert (found.value, found.answer) == (value, answer)


@pytest.mark.parametrize("patterns", [(), ("(",), ("(a|a)*b(?<=c)", "[")])
def test_without_a_usable_pattern_nothing_is_scored(patterns: tuple[str, ...]) -> None:
    assert score_regex("x" * 40, patterns).value is None


def test_a_pattern_that_backtracks_without_end_is_given_up() -> None:
    found = score_regex("a" * 60 + "!", ("^(a|aa)+$",))
    assert found.value is None
    assert "takes too long" in str(found.reason)


def test_no_pattern_is_an_error_that_says_why() -> None:
    with pytest.raises(ValueError, match="no regular expression: missing"):
        check_pattern("(")


@given(st.text(max_size=50))
def test_any_reply_gets_a_score(reply: str) -> None:
    assert score_regex(reply, (r".", "^$", r"\n")).value == 1.0
