import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint

from neuroforge.errors import DataError
from neuroforge.statistics.bootstrap import (
    Resample,
    bca_bounds,
    bca_tail,
    count_draws,
    draw_counts,
    resample,
    resample_means,
)
from neuroforge.statistics.clusters import find_clusters
from neuroforge.statistics.means import mean_interval

GRADES = st.lists(st.floats(0, 1, allow_nan=False, width=32), min_size=3, max_size=30)


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("n", [10, 57])
def test_bca_equals_scipy_given_the_same_indices(n: int) -> None:
    values = np.random.default_rng(n).gamma(0.7, size=n)
    theirs = bootstrap((values,), np.mean, n_resamples=2000, method="BCa", rng=generator())
    indices = generator().integers(0, n, (2000, n))
    means = values[indices].mean(axis=1)
    assert means == pytest.approx(theirs.bootstrap_distribution, abs=1e-12)
    counted = resample_means(values, np.ones(n), count_draws(indices, n))
    low, high = bca_bounds(Resample(values, np.ones(n), counted), 0.95, widen=False)
    interval = theirs.confidence_interval
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_blocks_draw_what_one_draw_would(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draw_counts(50, 90, generator())))
    monkeypatch.setattr("neuroforge.statistics.bootstrap._CHUNK", 1000)
    blocks = list(draw_counts(50, 90, generator()))
    assert [len(one) for one in blocks] == [20, 20, 20, 20, 10]
    assert np.array_equal(np.concatenate(blocks), whole)


def test_whole_clusters_are_drawn() -> None:
    values = np.array([1.0, 2.0, 3.0, 10.0])
    clusters = find_clusters(["a", "a", "a", "b"], 4)
    drawn = resample_means(clusters.sums(values), clusters.sizes, count_draws(np.array([[0, 0], [0, 1], [1, 1]]), 2))
    assert drawn.tolist() == [2.0, 4.0, 10.0]


def test_the_tail_at_the_low_end_is_the_intervals_own() -> None:
    drawn = resample(generator().gamma(2.0, size=80), find_clusters(None, 80), rng=generator(), n_resamples=20_000)
    low, high = bca_bounds(drawn, 0.95)
    assert bca_tail(drawn, low) == pytest.approx(0.025, abs=1e-3)
    assert bca_tail(drawn, high) == pytest.approx(0.975, abs=1e-3)


@settings(deadline=None)
@given(GRADES)
def test_the_estimate_lies_inside_and_within_the_bounds(values: list[float]) -> None:
    interval = mean_interval(values, None, (0.0, 1.0), rng=generator(), n_resamples=200)
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    assert interval.mean == pytest.approx(np.mean(values), abs=1e-9)


def test_missing_scores_are_left_out() -> None:
    some = mean_interval([1, np.nan, 0, 1], rng=generator())
    assert some == mean_interval([1, 0, 1], rng=generator())
    assert some.n == 3


def test_equal_grades_on_a_scale_leave_what_was_not_seen() -> None:
    interval = mean_interval(np.full(20, 0.5), None, (0.0, 1.0), rng=generator())
    unseen = 1 - 0.025 ** (1 / 20)
    assert (interval.low, interval.high) == pytest.approx((0.5 - unseen / 2, 0.5 + unseen / 2), abs=1e-12)
    assert interval.method == "all values equal: rule of three"


def test_few_graded_scores_get_wilsons_interval_at_what_their_variance_is_worth() -> None:
    """The size is p (1 - p) over the variance of the mean, less what t with 3 degrees of freedom takes off."""
    interval = mean_interval([0.2, 0.4, 0.4, 0.6], None, (0.0, 1.0), rng=generator())
    size = 0.24 / ((0.08 / 3) / 4) * (1.959963985 / 3.182446305) ** 2
    low, high = proportion_confint(0.4 * size, size, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-6)


def test_a_scale_may_have_any_ends() -> None:
    narrow = mean_interval([0.2, 0.4, 0.4, 0.6], None, (0.0, 1.0), rng=generator())
    wide = mean_interval([2.0, 6.0, 6.0, 10.0], None, (-2.0, 18.0), rng=generator())
    assert (wide.low, wide.high) == pytest.approx((-2 + 20 * narrow.low, -2 + 20 * narrow.high), abs=1e-9)


def test_costs_of_nothing_are_no_failed_trials() -> None:
    interval = mean_interval(np.zeros(50), rng=generator())
    assert (interval.low, interval.high, interval.method) == (0.0, 0.0, "all values equal")
    assert mean_interval(np.zeros(50), None, (0.0, 1.0), rng=generator()).method == "wilson"


def test_the_method_is_told() -> None:
    grades, groups = generator().random(60), np.arange(60) // 3
    assert mean_interval(grades, rng=generator()).method == "bootstrap BCa"
    assert mean_interval(grades, groups, rng=generator()).method == "cluster bootstrap BCa (20 clusters)"
    scaled = mean_interval(grades, groups, (0.0, 1.0), rng=generator()).method
    assert scaled == "wilson at the effective sample size of 20 clusters"
    assert mean_interval(grades[:9], rng=generator()).method == "bootstrap BCa or t, the wider"
    assert mean_interval(grades < 0.5, rng=generator()).method == "wilson"
    told = mean_interval(grades < 0.5, groups, rng=generator()).method
    assert told == "wilson at the effective sample size of 20 clusters"


def test_an_estimate_carries_the_interval() -> None:
    estimate = mean_interval([1, 0, 1], rng=generator()).estimate()
    assert (estimate.n, estimate.mean) == (3, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("values", "clusters"),
    [
        ([], None),
        ([np.nan], None),
        ([0.5, np.inf], None),
        ([0.5, 2.0], None),
        ([0.2, 0.3], ["a", "a"]),
        ([0.2], ["a", "b"]),
    ],
)
def test_what_has_no_mean_is_refused(values: list[float], clusters: list[str] | None) -> None:
    with pytest.raises(DataError):
        mean_interval(values, clusters, (0.0, 1.0), rng=generator())
