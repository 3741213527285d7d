"""When a search ends at the latest."""

import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.prompts.progress import Mark, time_left_s

BEGUN = Mark(60.0, (100.0, 1_000.0, 0.5))


def test_what_came_before_the_search_says_nothing_of_its_pace() -> None:
    now = Mark(70.0, (150.0, 1_500.0, 0.5))

    assert time_left_s(Budget(max_calls=200), BEGUN, now) == pytest.approx(10.0)


def test_the_tightest_limit_counts() -> None:
    now = Mark(70.0, (150.0, 2_000.0, 1.0))

    assert time_left_s(Budget(max_calls=1_000, max_tokens=2_500), BEGUN, now) == pytest.approx(5.0)
    assert time_left_s(Budget(max_cost_usd=2.0), BEGUN, now) == pytest.approx(20.0)
    assert time_left_s(Budget(max_calls=1_000, max_duration=73.0), BEGUN, now) == pytest.approx(3.0)


def test_without_a_limit_or_an_answer_nobody_knows() -> None:
    assert time_left_s(Budget(), BEGUN, Mark(70.0, (150.0, 1_500.0, 1.0))) is None
    assert time_left_s(Budget(max_calls=200), BEGUN, Mark(70.0, BEGUN.used)) is None


def test_a_limit_that_was_passed_leaves_no_time() -> None:
    assert time_left_s(Budget(max_tokens=900), BEGUN, Mark(70.0, (150.0, 1_500.0, 0.5))) == 0.0
