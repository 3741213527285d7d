import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from neuroforge.errors import DataError
from neuroforge.statistics.clusters import find_clusters
from neuroforge.statistics.proportions import (
    beta_binomial_interval,
    effective_wilson_interval,
    proportion_interval,
    wilson_interval,
)


@st.composite
def trials(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 500))
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize(
    ("n_success", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_published_table(n_success: int, n: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3."""
    interval = wilson_interval(n_success, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@settings(deadline=None)
@given(trials())
def test_wilson_equals_scipy_and_statsmodels(given: tuple[int, int]) -> None:
    interval = wilson_interval(*given)
    theirs = binomtest(*given).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx(proportion_confint(*given, method="wilson"), abs=1e-6)


@settings(deadline=None)
@given(trials())
def test_jeffreys_equals_statsmodels_between_the_ends(given: tuple[int, int]) -> None:
    interval, theirs = beta_binomial_interval(*given), proportion_confint(*given, method="jeffreys")
    if given[0] > 0:
        assert interval.low == pytest.approx(min(theirs[0], interval.mean), abs=1e-6)
    if given[0] < given[1]:
        assert interval.high == pytest.approx(max(theirs[1], interval.mean), abs=1e-6)


@settings(deadline=None)
@given(trials())
def test_failures_mirror_successes_and_the_estimate_lies_inside(given: tuple[int, int]) -> None:
    n_success, n = given
    interval, mirrored = proportion_interval(n_success, n), proportion_interval(n - n_success, n)
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    assert (interval.low, interval.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)


def test_few_trials_are_counted_by_beta_binomial_many_by_wilson() -> None:
    assert proportion_interval(20, 39).method == "beta-binomial (Jeffreys prior)"
    assert proportion_interval(20, 40).method == "wilson"


def test_a_uniform_prior_says_so() -> None:
    interval = beta_binomial_interval(0, 1, prior=1.0)
    assert interval.method == "beta-binomial (uniform prior)"
    assert (interval.low, interval.high) == pytest.approx((0.0, 1 - np.sqrt(0.025)), abs=1e-9)


def test_repeats_that_always_agree_are_worth_one_each() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0] * 200, 4)
    clustered = effective_wilson_interval(values, find_clusters(np.repeat(np.arange(1000), 4), 4000), (0.0, 1.0))
    alone = wilson_interval(600, 1000)
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high), abs=1e-4)


def test_clusters_without_any_success_still_leave_width() -> None:
    clustered = effective_wilson_interval(np.zeros(30), find_clusters(np.arange(30) // 5, 30), (0.0, 1.0))
    assert clustered.low == 0.0
    assert clustered.high > wilson_interval(0, 6).high


@pytest.mark.parametrize(("n_success", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(n_success: int, n: int) -> None:
    with pytest.raises(DataError):
        proportion_interval(n_success, n)
