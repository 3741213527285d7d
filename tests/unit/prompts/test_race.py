"""Who goes on in a race, and which operators are credited."""

import numpy as np
import pytest
from scipy import stats

from neuroforge.prompts.credit import Credit, draw_operator, reward
from neuroforge.prompts.race import is_beaten, p_better, pareto_front, survivors


def fitness(values: list[float]) -> dict[str, float]:
    return {f"i{place}": value for place, value in enumerate(values)}


def test_the_p_value_is_that_of_students_paired_test() -> None:
    one, other = np.array([0.9, 0.4, 0.7, 0.8, 0.6]), np.array([0.5, 0.5, 0.6, 0.4, 0.5])

    expected = stats.ttest_rel(one, other, alternative="greater").pvalue

    assert p_better(one - other) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("differences", "p"), [([0.1] * 5, 0.0), ([0.0] * 5, 1.0), ([-0.1] * 5, 1.0), ([0.5], 1.0)])
def test_differences_without_spread_decide_by_their_sign(differences: list[float], p: float) -> None:
    assert p_better(np.array(differences)) == p


def test_nobody_is_beaten_on_a_handful_of_items() -> None:
    assert not is_beaten(fitness([0.0] * 4), fitness([1.0] * 4))
    assert is_beaten(fitness([0.0] * 5), fitness([1.0] * 5))


def test_only_items_that_both_saw_count() -> None:
    assert not is_beaten(fitness([0.0] * 3), fitness([1.0] * 20))


def test_who_is_beaten_by_enough_others_goes() -> None:
    runs = {"a": fitness([1.0] * 8), "b": fitness([0.9] * 8), "c": fitness([0.1] * 8)}

    assert survivors(runs, n_wanted=1) == ("a",)
    assert survivors(runs, n_wanted=2) == ("a", "b")
    assert survivors(runs, n_wanted=3) == ("a", "b", "c")


def test_equals_go_on_in_their_order() -> None:
    runs = {name: fitness([0.5] * 10) for name in "xyz"}

    assert survivors(runs, n_wanted=1) == ("x", "y", "z")


def test_the_front_is_of_those_that_nobody_beats_in_all() -> None:
    points = {"good": (-0.9, 100.0), "short": (-0.5, 10.0), "worse": (-0.5, 100.0), "same": (-0.5, 10.0)}

    assert pareto_front(points) == ("good", "short", "same")


def test_credit_goes_to_those_whose_children_win_and_fades() -> None:
    first = reward({}, [("a", 0.2), ("a", -0.1), ("b", 0.0)])
    second = reward(first, [])

    assert first["a"] == Credit(n_won=1, n_lost=1, n_children=2, gain=0.2)
    assert first["b"] == Credit(n_won=0, n_lost=1, n_children=1, gain=0)
    assert (second["a"].n_won, second["a"].n_children, second["a"].gain) == (0.9, 2, 0.2)


def test_an_operator_that_wins_is_drawn_more() -> None:
    credits = {"a": Credit(n_won=20, n_lost=2), "b": Credit(n_won=2, n_lost=20)}
    rng = np.random.default_rng(0)

    drawn = [draw_operator(credits, ["a", "b", "new"], rng) for _ in range(500)]

    assert drawn.count("a") > 350
    assert drawn.count("new") > drawn.count("b")
