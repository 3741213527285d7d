"""Scores of several variants -> who ranks where, and who is the best if the data says so."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroforge.errors import DataError
from neuroforge.statistics.clusters import Labels
from neuroforge.statistics.interval import LEVEL
from neuroforge.statistics.multiple import holm
from neuroforge.statistics.pairs import pair_up, paired_p_value
from neuroforge.statistics.proportions import Bounds

ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Friedman:
    """Whether variants rank differently over datasets, and which pairs do."""

    p_value: float
    statistic: float
    """Chi-square with n_variants - 1 degrees of freedom, corrected for ties."""
    mean_ranks: NDArray[np.float64]
    """(n_variants,); 1 = best."""
    critical_difference: float
    """Nemenyi: mean ranks further apart than this differ at 5 %, all pairs taken together."""
    separated: tuple[tuple[int, int], ...]
    """(better, worse) pairs of columns beyond the critical difference; none where the Friedman test does not reject."""


@dataclass(frozen=True)
class Best:
    """The best of several, if the data says so."""

    leader: int
    """Column with the highest mean; the first of equals."""
    winner: int | None
    """The leader where every corrected test against it is won; else None."""
    p_adjusted: NDArray[np.float64]
    """(n_variants,), the leader's comparison with each other one, Holm over all; 1 for itself."""


def friedman(scores: ArrayLike) -> Friedman:
    """Compare variants across datasets or tasks by ranks within each.

    Args:
        scores: (n_datasets, n_variants), higher is better; ties share their mean rank.
    Raises:
        DataError: Fewer than three variants or two datasets, or a missing score.
    Source: Friedman (1937); Nemenyi (1963); Demsar, JMLR 7 (2006), section 3.2.2.
    """
    given = np.asarray(scores, dtype=float)
    if given.ndim != 2 or given.shape[0] < 2 or given.shape[1] < 3:
        raise DataError(f"Friedman's test needs two datasets and three variants at least; got shape {given.shape}")
    if not np.isfinite(given).all():
        raise DataError("Friedman's test needs every variant's score on every dataset; leave incomplete datasets out")
    from scipy.stats import friedmanchisquare, rankdata, studentized_range  # a second of import

    n_datasets, n_variants = given.shape
    ranks = rankdata(-given, axis=1)
    mean_ranks = ranks.mean(axis=0)
    all_tied = bool((np.ptp(given, axis=1) == 0).all())
    statistic, p_value = (0.0, 1.0) if all_tied else map(float, friedmanchisquare(*given.T))
    quantile = float(studentized_range.ppf(LEVEL, n_variants, np.inf)) / np.sqrt(2)
    critical = float(quantile * np.sqrt(n_variants * (n_variants + 1) / (6 * n_datasets)))
    order = np.argsort(mean_ranks, kind="stable")
    pairs = [(int(a), int(b)) for a, b in combinations(order, 2) if mean_ranks[b] - mean_ranks[a] > critical]
    return Friedman(p_value, statistic, mean_ranks, critical, tuple(pairs) if p_value <= ALPHA else ())


def rank_intervals(means: ArrayLike, p_adjusted: ArrayLike) -> list[tuple[int, int]]:
    """Return each variant's 95 % interval of its true rank (1 = best) from tests of all pairs.

    Nobody's rank is better than one more than how many beat it, nor worse than the number it does not beat. All
    intervals hold together with 95 % if `p_adjusted` are Holm-adjusted over all pairs.

    Args:
        means: (n_variants,), higher is better.
        p_adjusted: (n_variants, n_variants), symmetric, of the comparison of each pair; the diagonal is not read.
    Raises:
        DataError: Shapes do not fit.
    Source: Al Mohamad, Goeman, van Zwet, Biometrical Journal 64 (2022), with Holm's tests in place of Tukey's.
    """
    means, p_values = np.asarray(means, dtype=float), np.asarray(p_adjusted, dtype=float)
    n = len(means)
    if p_values.shape != (n, n):
        raise DataError(f"{n} variants need {n} x {n} p-values; got shape {p_values.shape}")
    beats = (p_values <= ALPHA) & (means[:, None] > means[None, :])
    np.fill_diagonal(beats, False)
    return [(1 + int(beats[:, one].sum()), n - int(beats[one].sum())) for one in range(n)]


def select_best(
    scores: ArrayLike,
    clusters: Labels | None = None,
    bounds: Bounds | None = None,
    *,
    rng: np.random.Generator,
) -> Best:
    """Name the variant that beats every other one, or nobody.

    The one with the highest mean is compared with each other (by `compare_paired`'s test, two-sided); it wins if all
    p-values, Holm-adjusted over these comparisons, are at most 5 %. So a false winner is named in 5 % of the cases at
    most, however many variants tie for the best.

    Args:
        scores: (n_items, n_variants), higher is better; NaN = missing, left out pair by pair.
        clusters: (n_items,) labels, as in `compare_paired`.
        bounds: Of the scale of the scores.
    Raises:
        DataError: Fewer than two variants, one without any score, or as `compare_paired`.
    Source: Gutmann and Maymin, Is the selected population the best?, Annals of Statistics 15 (1987).
    """
    given = np.asarray(scores, dtype=float)
    if given.ndim != 2 or given.shape[1] < 2 or given.shape[0] < 1:
        raise DataError(f"choosing the best needs a row an item and two columns at least; got shape {given.shape}")
    if np.isnan(given).all(axis=0).any():
        raise DataError(f"column {int(np.isnan(given).all(axis=0).argmax())} has no score at all; leave it out")
    leader = int(np.argmax(np.nanmean(given, axis=0)))
    others = [one for one in range(given.shape[1]) if one != leader]
    pairs = [pair_up(given[:, leader], given[:, one], clusters, bounds) for one in others]
    p_adjusted = np.ones(given.shape[1])
    p_adjusted[others] = holm([paired_p_value(one, rng=rng)[0] for one in pairs])
    is_ahead = all(float(one.differences.mean()) > 0 for one in pairs)
    wins = is_ahead and bool((p_adjusted[others] <= ALPHA).all())
    return Best(leader, leader if wins else None, p_adjusted)
