import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from neuroforge.errors import DataError
from neuroforge.statistics.paired import compare_paired
from neuroforge.statistics.power import detectable_discordant, detectable_mean, n_for_discordant, n_for_mean, power_of


def test_n_for_a_mean_equals_statsmodels() -> None:
    theirs = TTestPower().solve_power(effect_size=0.5, alpha=0.05, power=0.8)
    assert n_for_mean(0.5, 1.0) == math.ceil(theirs) == 34


@pytest.mark.parametrize("n", [5, 34, 87, 120, 500])
def test_the_detectable_mean_has_power_80(n: int) -> None:
    detectable = detectable_mean(2.0, n)
    assert detectable is not None
    assert TTestPower().power(detectable / 2.0, n, 0.05) == pytest.approx(0.8, abs=1e-5)


def test_pairs_for_a_discordance_by_hand() -> None:
    """Connor (1987): (1.95996 sqrt(.3) + .84162 sqrt(.3 - .01)) ^ 2 / .01 = 233.1."""
    assert n_for_discordant(0.1, 0.3) == 234


def test_detectable_and_needed_are_each_others_inverse() -> None:
    detectable = detectable_discordant(0.3, 234)
    assert detectable == pytest.approx(0.1, abs=1e-3)
    assert n_for_discordant(detectable or 0, 0.3) == 234


def test_few_discordant_pairs_can_show_nothing() -> None:
    assert detectable_discordant(0.1, 20) is None


def test_connors_pairs_reach_the_power_they_promise() -> None:
    """4,000 data sets of 233 pairs; the uncorrected test that the formula is for."""
    counts = np.random.default_rng(5).multinomial(233, [0.2, 0.1, 0.7], 4000)
    wins, losses = counts[:, 0], counts[:, 1]
    rejected = (wins - losses) ** 2 / np.maximum(wins + losses, 1) > 3.8415
    assert rejected.mean() == pytest.approx(0.8, abs=0.02)


def test_power_goes_with_the_comparison() -> None:
    a, b = [1] * 30 + [0] * 20 + [1] * 50, [0] * 30 + [1] * 20 + [1] * 50
    told = power_of(compare_paired(a, b, rng=np.random.default_rng(0)))
    assert told.n_needed == n_for_discordant(0.1, 0.5)
    assert told.minimum_detectable == detectable_discordant(0.5, 100)


def test_clusters_are_what_is_needed_more_of() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(100), rng.random(100)
    result = compare_paired(a, b, np.repeat(np.arange(25), 4), rng=rng)
    told = power_of(result)
    spread = result.standard_error * 5
    assert told.minimum_detectable == detectable_mean(spread, 25)
    assert told.n_needed == 4 * (n_for_mean(result.difference.mean, spread) or 0)


def test_equal_scores_promise_nothing() -> None:
    told = power_of(compare_paired([1, 0, 1], [1, 0, 1], rng=np.random.default_rng(0)))
    assert (told.minimum_detectable, told.n_needed) == (None, None)


def test_a_difference_too_small_for_anyone_needs_none() -> None:
    assert n_for_mean(1e-9, 1.0) is None
    assert n_for_discordant(1e-9, 0.5) is None


@pytest.mark.parametrize(("difference", "discordance"), [(0.0, 0.1), (0.2, 0.1), (0.1, 0.0), (0.1, 1.5)])
def test_impossible_differences_are_refused(difference: float, discordance: float) -> None:
    with pytest.raises(DataError):
        n_for_discordant(difference, discordance)


def test_no_spread_is_refused() -> None:
    with pytest.raises(DataError):
        detectable_mean(0.0, 10)
