from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.scoring.numeric import last_number, score_numeric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", "5"),
        ("It is 5.", "5"),
        ("$1,234.50", "1234.50"),
        ("1,000,000", "1000000"),
        ("-3", "-3"),
        ("−3", "-3"),
        ("10 - 3 = 7", "7"),
        ("from 5-7", "7"),
        ("3 and 4", "4"),
        ("1,2,3", "3"),
        ("3/4", "0.75"),
        ("1e3", "1000"),
        (".5", "0.5"),
        ("40%", "40"),
        ("The answer is 12. I checked it 3 times", "12"),
        ("answer: 12 apples, 3 pears", "12"),
        ("#### 72", "72"),
        ("so \\boxed{8} of 10", "8"),
        ("x2 is 4", "4"),
    ],
)
def test_the_number_that_the_text_arrives_at(text: str, expected: str) -> None:
    assert last_number(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "none", "x2", "the answer is unknown", "1/0"])
def test_a_text_without_a_number_has_none(text: str) -> None:
    assert last_number(text) is None


def test_a_number_before_the_unit_goes_before_a_later_one() -> None:
    assert last_number("15 meters (found in 2 steps)", unit="meter") == 15


def test_zero_before_the_unit_counts() -> None:
    assert last_number("0 apples are left of 9", unit="apples") == 0


def test_without_the_unit_the_last_number_counts() -> None:
    assert last_number("first 3, then 4", unit="apples") == 4


def test_a_number_in_another_form_is_the_same() -> None:
    assert score_numeric("It costs $1,000.00", ("1000 dollars",)).value == 1.0


def test_another_number_is_wrong() -> None:
    score = score_numeric("8 apples", ("9 apples",))
    assert (score.value, score.answer) == (0.0, "8")


def test_a_reply_without_a_number_is_wrong() -> None:
    assert score_numeric("many", ("9",)).value == 0.0


def test_a_reference_without_a_number_is_not_scored() -> None:
    assert score_numeric("9", ("many",)).value is None


def test_a_difference_within_the_tolerance_counts() -> None:
    assert score_numeric("3.1", ("3.14",), tolerance=0.04).value == 1.0


def test_a_difference_beyond_the_tolerance_does_not() -> None:
    assert score_numeric("3.09", ("3.14",), tolerance=0.04).value == 0.0


@given(st.integers(-(10**12), 10**12))
def test_every_integer_is_read_back(number: int) -> None:
    assert last_number(f"That makes {number:,}.") == number


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    assert score_numeric(text, ("1",)).value in (0.0, 1.0)
