import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.router.pace import Rate, WholeAnswers

TOKENS = st.integers(0, 8_000)
ANSWERS = st.lists(st.tuples(TOKENS, TOKENS, st.floats(0, 600)), min_size=1, max_size=80)


def test_a_short_answer_says_little_of_a_long_one() -> None:
    rate = Rate()
    rate.add(2.0, 2)
    rate.add(2.0, 198)
    assert rate.value == pytest.approx(0.02)


def test_without_tokens_there_is_no_rate() -> None:
    assert Rate().value is None
    assert WholeAnswers().solve() is None


def test_reading_and_generating_are_told_apart() -> None:
    answers = WholeAnswers()
    for n_prompt, n_made in [(300, 2), (80, 20), (200, 150), (100, 5)] * 10:
        answers.add(n_prompt, n_made, 0.01 * n_prompt + 0.05 * n_made)
    solved = answers.solve()
    assert solved is not None
    assert solved == pytest.approx((0.01, 0.05), rel=0.05)


def test_answers_all_alike_still_add_up_to_what_they_took() -> None:
    answers = WholeAnswers()
    for _ in range(5):
        answers.add(100, 10, 3.0)
    solved = answers.solve()
    assert solved is not None
    assert solved[0] * 100 + solved[1] * 10 == pytest.approx(3.0)
    assert min(solved) > 0


def test_a_model_that_changes_its_speed_is_followed() -> None:
    answers = WholeAnswers()
    for n in range(400):
        answers.add(0, 10 + n % 7, (0.02 if n < 100 else 0.04) * (10 + n % 7))
    solved = answers.solve()
    assert solved is not None
    assert solved[1] == pytest.approx(0.04, rel=0.02)


@given(ANSWERS)
def test_no_token_takes_less_than_no_time(seen: list[tuple[int, int, float]]) -> None:
    answers = WholeAnswers()
    for one in seen:
        answers.add(*one)
    solved = answers.solve()
    assert solved is None or min(solved) >= 0
