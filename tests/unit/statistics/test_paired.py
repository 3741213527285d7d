from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import permutation_test
from statsmodels.stats.contingency_tables import mcnemar

from neuroforge.errors import DataError
from neuroforge.statistics.clusters import find_clusters, moderated_size
from neuroforge.statistics.paired import compare_paired, non_inferiority
from neuroforge.statistics.pairs import mcnemar_p_value, pair_up
from neuroforge.statistics.score_interval import scale_counts, tango_bounds, tango_score
from neuroforge.statistics.signflip import all_sums, share_as_far, sign_flip_p_value

Z = 1.959963984540054
TABLES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)).filter(lambda one: sum(one) > 0)
PAIRS = st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=3, max_size=20)


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def binary_pairs(n_wins: int, n_losses: int, n_ties: int) -> tuple[list[int], list[int]]:
    return [1] * n_wins + [0] * n_losses + [1] * n_ties, [0] * n_wins + [1] * n_losses + [1] * n_ties


@settings(deadline=None)
@given(TABLES)
def test_mcnemar_equals_statsmodels(table: tuple[int, int, int]) -> None:
    wins, losses, ties = table
    theirs = mcnemar([[ties, wins], [losses, 0]], exact=True).pvalue
    assert mcnemar_p_value(wins, losses) == pytest.approx(theirs, abs=1e-9)


def profiled_score(wins: int, losses: int, n: int, difference: float) -> float:
    """Tango's statistic from its definition: the losses' share that is likeliest, found by search."""

    def unlikelihood(share: float) -> float:
        both = 2 * share + difference
        return -float(xlogy(wins, share + difference) + xlogy(losses, share) + xlogy(n - wins - losses, 1 - both))

    low, high = max(0.0, -difference), (1 - difference) / 2
    share = minimize_scalar(unlikelihood, (low, high), bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = n * (2 * share + difference * (1 - difference))
    return float((wins - losses - n * difference) / np.sqrt(variance))


@pytest.mark.parametrize("table", [(12, 2, 50), (9, 5, 30), (30, 41, 120), (1, 3, 20)])
def test_tango_ends_where_the_score_by_search_is_z(table: tuple[int, int, int]) -> None:
    low, high = (float(one) for one in tango_bounds(*table, Z))
    assert profiled_score(*table, low) == pytest.approx(Z, abs=1e-5)
    assert profiled_score(*table, high) == pytest.approx(-Z, abs=1e-5)
    assert float(tango_score(*table, low)) == pytest.approx(Z, abs=1e-9)


def test_tango_equals_the_published_example() -> None:
    """Airway hyper-responsiveness of 21 children: Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014)."""
    assert [round(float(one), 3) for one in tango_bounds(7, 1, 21, Z)] == [0.026, 0.517]


@settings(deadline=None)
@given(TABLES)
def test_tango_mirrors_and_holds_the_estimate(table: tuple[int, int, int]) -> None:
    wins, losses, _ = table
    n = sum(table)
    low, high = tango_bounds(wins, losses, n, Z)
    mirrored_low, mirrored_high = tango_bounds(losses, wins, n, Z)
    assert (low, high) == pytest.approx((-mirrored_high, -mirrored_low), abs=1e-9)
    assert -1 <= low <= (wins - losses) / n <= high <= 1


def test_without_a_discordant_pair_tango_still_has_width() -> None:
    """At no discordance the statistic is -sqrt(n d / (1 - d)), so the end is z^2 / (n + z^2)."""
    low, high = tango_bounds(0, 0, 20, Z)
    assert (low, high) == pytest.approx((-(Z**2) / (20 + Z**2), Z**2 / (20 + Z**2)), abs=1e-9)


def test_exact_sign_flips_equal_scipy() -> None:
    differences = np.round(generator().normal(0.3, 1.0, 11), 1)
    theirs = permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    p_value, test = sign_flip_p_value(differences, rng=generator())
    assert p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert test == "exact sign-flip permutation"


def test_given_the_same_flips_the_share_is_the_one_counted_by_hand() -> None:
    differences = np.array([3.0, 1.0, -2.0])
    by_hand = [float(np.dot(signs, differences)) for signs in product((-1, 1), repeat=3)]
    assert sorted(all_sums(differences).tolist()) == sorted(by_hand)
    assert share_as_far(differences, all_sums(differences)) == np.mean(np.abs(by_hand) >= 2) == 0.75


def test_random_flips_agree_with_the_exact_share() -> None:
    differences = generator().normal(0.4, 1.0, 16)
    p_value, _ = sign_flip_p_value(differences, rng=generator(), n_flips=20_000)
    assert p_value == pytest.approx(share_as_far(differences, all_sums(differences)), abs=0.01)


def test_no_flip_as_extreme_is_not_a_p_value_of_zero() -> None:
    assert sign_flip_p_value(np.ones(200), rng=generator())[0] == pytest.approx(1e-4)


@settings(deadline=None)
@given(PAIRS)
def test_swapping_the_two_turns_the_sign(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    one, other = (compare_paired(x, y, bounds=(0.0, 1.0), rng=generator()) for x, y in ((a, b), (b, a)))
    assert one.difference.mean == pytest.approx(-other.difference.mean, abs=1e-9)
    assert (one.n_wins, one.n_losses, one.n_ties) == (other.n_losses, other.n_wins, other.n_ties)
    assert one.p_value == pytest.approx(other.p_value, abs=0.02)
    assert one.difference.low <= one.difference.mean <= one.difference.high


@settings(deadline=None)
@given(st.permutations(range(9)))
def test_the_order_of_items_does_not_matter(order: list[int]) -> None:
    a, b = generator().random(9), generator().random(9)
    first, second = compare_paired(a, b, rng=generator()), compare_paired(a[order], b[order], rng=generator())
    assert first.p_value == second.p_value
    assert first.difference.mean == pytest.approx(second.difference.mean, abs=1e-12)
    assert first.difference.low == pytest.approx(second.difference.low, abs=0.03)


def test_binary_pairs_are_told_by_mcnemar_and_tango() -> None:
    result = compare_paired(*binary_pairs(12, 2, 36), rng=generator())
    assert (result.test, result.difference.method) == ("exact McNemar", "Tango score")
    assert (result.n_wins, result.n_losses, result.n_ties, result.effect_size) == (12, 2, 36, 6.0)
    assert result.p_value == pytest.approx(0.012939, abs=1e-6)


def test_binary_differences_keep_their_counts_and_scale() -> None:
    assert scale_counts(np.array([1.0, 1.0, -1.0, 0.0]), 1.0) == (1.0, 2.0, 1.0)


def test_graded_differences_are_scaled_by_hand() -> None:
    """(.25 + .25 + .0625 + 1) / (.5 + .5 + .25 + 1)."""
    scale, wins, losses = scale_counts(np.array([0.5, 0.5, -0.25, 0.0]), 1.0)
    assert scale == pytest.approx(1.5625 / 2.25)
    assert (wins, losses) == (pytest.approx(1.0 / scale), pytest.approx(0.25 / scale))


def test_few_graded_differences_get_the_scaled_score_and_many_the_bootstrap() -> None:
    a = generator().random(100)
    few = np.where(np.arange(100) < 10, a / 2, a)
    assert compare_paired(a, few, bounds=(0.0, 1.0), rng=generator()).difference.method == "Tango score, scaled"
    assert compare_paired(a, a / 2, bounds=(0.0, 1.0), rng=generator()).difference.method == "bootstrap BCa"
    assert pair_up(a, few).are_sparse
    assert not pair_up(a, a / 2).are_sparse


def test_fewer_than_twenty_units_are_not_trusted_to_resampling_alone() -> None:
    result = compare_paired(generator().random(8), generator().random(8), bounds=(0.0, 1.0), rng=generator())
    other = compare_paired(generator().random(8), np.zeros(8), bounds=(0.0, 1.0), rng=generator())
    assert result.difference.mean == 0
    assert other.difference.method == "bootstrap BCa or t, the wider"
    half = other.standard_error * 2.364624
    assert other.difference.low <= other.difference.mean - half + 1e-6


def test_costs_of_nothing_differ_by_nothing() -> None:
    difference = compare_paired(np.zeros(50), np.zeros(50), rng=generator()).difference
    assert (difference.low, difference.high) == (0.0, 0.0)


def test_clustered_pairs_flip_by_cluster() -> None:
    a, b = binary_pairs(12, 2, 36)
    result = compare_paired(a, b, np.arange(50) // 5, rng=generator())
    assert result.test == "exact sign-flip permutation by cluster"
    assert result.difference.method == "Tango score, at the effective sample size of 10 clusters"
    assert result.n_units == 10


def test_differences_in_clusters_are_worth_what_is_worked_out_by_hand() -> None:
    """Clusters of 2 and 0 around 1: variance of the mean 1/4, four times that of independent values (1/16).

    With one degree of freedom each for 4 and for 1 the design effect is 2.5; t with two is 4.302653.
    """
    size = moderated_size(np.array([1.0, 1.0, 0.0, 0.0]), find_clusters(["a", "a", "b", "b"], 4))
    assert size == pytest.approx(4 / 2.5 * (Z / 4.302653) ** 2, abs=1e-6)


def test_wins_and_losses_that_cancel_in_their_clusters_still_leave_width() -> None:
    """No variance between six clusters: the design effect is 1/6, and t has six degrees of freedom."""
    differences = np.tile([1.0, -1.0, 0.0, 0.0, 0.0], 6)
    size = moderated_size(differences, find_clusters(np.arange(30) // 5, 30))
    assert size == pytest.approx(30 * 6 * (Z / 2.446912) ** 2, abs=1e-4)


def test_clusters_that_all_say_the_same_count_as_one_each() -> None:
    size = moderated_size(np.zeros(30), find_clusters(np.arange(30) // 5, 30))
    assert size == pytest.approx(6 * (Z / 2.570582) ** 2, abs=1e-5)


def test_repeats_that_say_the_same_add_nothing() -> None:
    a, b = (np.array(one) for one in binary_pairs(60, 40, 300))
    alone = compare_paired(a, b, rng=generator())
    repeated = compare_paired(np.repeat(a, 3), np.repeat(b, 3), np.repeat(np.arange(400), 3), rng=generator())
    assert repeated.difference.low == pytest.approx(alone.difference.low, abs=1e-3)
    assert repeated.p_value == pytest.approx(alone.p_value, abs=0.02)
    assert repeated.standard_error == pytest.approx(alone.standard_error, abs=1e-9)


def test_pairs_with_a_missing_score_are_left_out() -> None:
    a, b = [1.0, 0.2, np.nan, 0.4], [0.5, 0.1, 0.3, np.nan]
    assert compare_paired(a, b, rng=generator()).difference.n == 2


def test_graded_effect_is_cohens_d() -> None:
    result = compare_paired([0.5, 0.7, 0.9], [0.4, 0.5, 0.6], rng=generator())
    assert result.effect_size == pytest.approx(2.0)


def test_not_worse_by_the_margin_is_what_the_interval_says() -> None:
    a, b = binary_pairs(10, 12, 178)
    result = non_inferiority(a, b, 0.1, rng=generator())
    assert result.holds
    edge = non_inferiority(a, b, -result.difference.low, rng=generator())
    assert edge.p_value == pytest.approx(0.025, abs=1e-6)
    assert not non_inferiority(a, b, 0.0, rng=generator()).holds


def test_graded_non_inferiority_agrees_with_its_interval() -> None:
    a = generator().random(120)
    b = np.clip(a + np.random.default_rng(3).normal(0, 0.1, 120), 0, 1)
    result = non_inferiority(a, b, 0.05, bounds=(0.0, 1.0), rng=generator())
    edge = non_inferiority(a, b, max(0.0, -result.difference.low), bounds=(0.0, 1.0), rng=generator())
    assert result.holds == (result.difference.low > -0.05)
    assert edge.p_value == pytest.approx(0.025, abs=2e-3)


def test_equal_graded_pairs_are_not_inferior_once_there_are_enough() -> None:
    grades = np.full(10, 0.5)
    assert not non_inferiority(grades, grades, 0.02, bounds=(0.0, 1.0), rng=generator()).holds
    many = np.full(400, 0.5)
    assert non_inferiority(many, many, 0.02, bounds=(0.0, 1.0), rng=generator()).holds


@pytest.mark.parametrize(
    ("a", "b", "clusters"),
    [([1, 0], [1], None), ([np.nan], [1], None), ([1, 0], [0, 1], ["a", "a"]), ([0.1, 0.2], [0, 1], ["a", "a"])],
)
def test_pairs_that_cannot_be_compared_are_refused(a: list[float], b: list[float], clusters: list[str] | None) -> None:
    with pytest.raises(DataError):
        compare_paired(a, b, clusters, rng=generator())


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(DataError, match="margin"):
        non_inferiority([1, 0], [1, 1], -0.1, rng=generator())
