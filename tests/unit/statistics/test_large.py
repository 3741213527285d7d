import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from neuroforge.statistics.large import MANY_UNITS, quick_compare_paired, quick_mean_interval
from neuroforge.statistics.means import mean_interval
from neuroforge.statistics.paired import compare_paired

N = MANY_UNITS + 500


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_large_mean_has_scipys_t_interval() -> None:
    values = rng().gamma(2.0, size=N)
    found = quick_mean_interval(values, rng=rng())
    theirs = ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.method == "t"
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_large_comparison_is_scipys_paired_t_test() -> None:
    a, b = rng().gamma(2.0, size=(2, N))
    found, theirs = quick_compare_paired(a, b, rng=rng()), ttest_rel(a, b)
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    ends = theirs.confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((ends.low, ends.high), abs=1e-9)
    assert found.n_wins == int((a > b).sum())


def test_large_and_resampled_intervals_say_the_same() -> None:
    a, b = rng().gamma(2.0, size=(2, N))
    quick, slow = quick_compare_paired(a, b, rng=rng()), compare_paired(a, b, rng=rng())
    reach = slow.difference.high - slow.difference.low
    assert quick.difference.low == pytest.approx(slow.difference.low, abs=0.03 * reach)
    assert quick.difference.high == pytest.approx(slow.difference.high, abs=0.03 * reach)


def test_clusters_widen_the_interval_of_what_repeats() -> None:
    values = np.repeat(rng().gamma(2.0, size=N), 3)
    alone = quick_mean_interval(values, rng=rng())
    clustered = quick_mean_interval(values, np.repeat(np.arange(N), 3), rng=rng())
    assert clustered.method == f"t over {N} clusters"
    assert (clustered.high - clustered.low) / (alone.high - alone.low) == pytest.approx(3**0.5, rel=1e-3)


def test_small_and_binary_scores_are_left_to_the_exact_methods() -> None:
    graded = rng().random(200)
    assert quick_mean_interval(graded, rng=rng()) == mean_interval(graded, rng=rng())
    a, b = (rng().random((2, N)) < [[0.5], [0.6]]).astype(float)
    assert quick_compare_paired(a, b, rng=rng()).test == "exact McNemar"
    assert quick_mean_interval(a, rng=rng()).method == "wilson"
