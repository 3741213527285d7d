"""When a search should end."""

import pytest

from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState, Milestone
from neuroforge.prompts.stop import FADE, FIRST_GAIN, expect_next, why_over


def history(*gains: float, n_calls: int = 200) -> tuple[Milestone, ...]:
    return tuple(
        Milestone(
            generation=place, best="b", fitness=None, gain=gain, n_calls=n_calls * (place + 1), n_tokens=0, cost_usd=0.0
        )
        for place, gain in enumerate(gains)
    )


def test_before_anything_happened_the_first_expectation_stands() -> None:
    assert expect_next(()) == (FIRST_GAIN, 0.0)


def test_the_first_generation_tells_what_calls_take_and_not_what_breeding_gains() -> None:
    assert expect_next(history(0.9)) == (FIRST_GAIN, 200.0)


def test_later_generations_count_more() -> None:
    gain, n_calls = expect_next(history(0.9, 0.1))

    assert gain == pytest.approx((FADE * FIRST_GAIN + 0.1) / (FADE + 1))
    assert n_calls == 200


def test_a_search_that_gains_goes_on() -> None:
    state = EvolutionState(history=history(0.0, 0.05, 0.02), generation=2)

    assert why_over(state, EvolutionSettings()) is None


def test_what_gains_less_than_it_costs_ends_and_says_so() -> None:
    state = EvolutionState(history=history(0.0, 0.0, 0.0, 0.0, 0.0), generation=4)

    told = why_over(state, EvolutionSettings(min_gain=0.001))

    assert told is not None
    assert "for about 200 calls, which should gain 0.0020" in told


def test_cheap_generations_may_gain_little() -> None:
    state = EvolutionState(history=history(0.0, 0.0, 0.0, 0.0, 0.0, n_calls=10), generation=4)

    assert why_over(state, EvolutionSettings(min_gain=0.001)) is None
