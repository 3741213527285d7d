"""Scores of two variants on the same items -> pairs, their difference with its interval, and its test."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr

from neuroforge.errors import DataError
from neuroforge.statistics.bootstrap import N_RESAMPLES, Resample, resample, safe_tail
from neuroforge.statistics.clusters import Clusters, Labels, moderated_size
from neuroforge.statistics.interval import LEVEL, Interval, normal_quantile
from neuroforge.statistics.means import bootstrap_interval, equal_interval, equal_tail, is_binary, select_present
from neuroforge.statistics.proportions import Bounds
from neuroforge.statistics.score_interval import scale_counts, tango_bounds, tango_score
from neuroforge.statistics.signflip import N_FLIPS, sign_flip_p_value

MANY_DISCORDANT = 100
"""From so many units that differ on, resampling them is safe: docs/decisions/120."""


@dataclass(frozen=True)
class Pairs:
    """What both variants answered."""

    first: NDArray[np.float64]
    """(n,)."""
    second: NDArray[np.float64]
    """(n,), of the same rows."""
    clusters: Clusters
    bounds: Bounds | None
    """Of the differences."""

    @cached_property
    def differences(self) -> NDArray[np.float64]:
        """First less second: (n,)."""
        return self.first - self.second

    @cached_property
    def are_binary(self) -> bool:
        """Whether all scores are 0 or 1."""
        both = np.concatenate([self.first, self.second])
        return is_binary(both, self.bounds)

    @cached_property
    def are_sparse(self) -> bool:
        """Whether few pairs differ, or a few large differences outweigh the others: a score interval suits them.

        Counted as pairs that differ by one and the same size: squared sum of sizes over sum of squared sizes.
        """
        sizes = np.abs(self.differences)
        squares = float(sizes @ sizes)
        if squares == 0:
            return True
        n_discordant = float(sizes.sum()) ** 2 / squares
        n_units = int(np.count_nonzero(self.clusters.sums(sizes)))
        return n_discordant < len(sizes) / 2 and min(n_discordant, n_units) < MANY_DISCORDANT


def pair_up(a: ArrayLike, b: ArrayLike, clusters: Labels | None = None, bounds: Bounds | None = None) -> Pairs:
    """Line up the rows that both have; `compare_paired` tells arguments and errors."""
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise DataError(f"scores of {first.shape} and {second.shape} items: pairs need the same items in one order")
    both = np.where(np.isnan(first) | np.isnan(second), np.nan, 1.0)
    kept, groups = select_present(first * both, clusters, bounds)
    others, _ = select_present(second * both, clusters, bounds)
    reach = None if bounds is None else bounds[1] - bounds[0]
    return Pairs(kept, others, groups, None if reach is None else (-reach, reach))


def difference_interval(pairs: Pairs, *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES) -> Interval:
    """Return the mean difference with a 95 % interval.

    Tango's score interval for 0/1 scores and, scaled, for graded ones of which few differ; at the effective sample
    size where clustered. Else the BCa bootstrap.

    Raises:
        DataError: All rows share one cluster.
    """
    if pairs.are_binary or pairs.are_sparse:
        return _score_interval(pairs)
    drawn = _draw(pairs, rng, n_resamples)
    if drawn is None:
        return equal_interval(float(pairs.differences[0]), pairs.clusters, pairs.bounds)
    return bootstrap_interval(drawn, pairs.bounds)


def difference_tail(
    pairs: Pairs, point: float, *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> tuple[float, str]:
    """Return the one-sided p-value against "the difference is at most `point`", and the test's name.

    It is the test whose inversion is `difference_interval`: given the same random numbers they agree.
    """
    if pairs.are_binary or pairs.are_sparse:
        return _score_tail(pairs, point), "Tango's score test"
    drawn = _draw(pairs, rng, n_resamples)
    if drawn is None:
        return equal_tail(float(pairs.differences[0]), pairs.clusters, pairs.bounds, point), "all differences equal"
    return safe_tail(drawn, point), "BCa bootstrap"


def paired_p_value(pairs: Pairs, *, rng: np.random.Generator, n_flips: int = N_FLIPS) -> tuple[float, str]:
    """Return the two-sided p-value against no difference, and the test's name."""
    if pairs.are_binary and pairs.clusters.are_single:
        differences = pairs.differences
        return mcnemar_p_value(int((differences > 0).sum()), int((differences < 0).sum())), "exact McNemar"
    p_value, test = sign_flip_p_value(pairs.clusters.sums(pairs.differences), rng=rng, n_flips=n_flips)
    return p_value, test if pairs.clusters.are_single else f"{test} by cluster"


def score_counts(pairs: Pairs) -> tuple[float, tuple[float, float, float]]:
    """Return the scale, and wins, losses and pairs for the score test, the counts at what clustered pairs are worth."""
    differences = pairs.differences
    n = len(differences)
    if pairs.are_binary:
        scale, wins, losses = 1.0, float((differences > 0).sum()), float((differences < 0).sum())
    else:
        reach = float(np.abs(differences).max()) if pairs.bounds is None else pairs.bounds[1]
        scale, wins, losses = scale_counts(differences, reach) if reach > 0 else (0.0, 0.0, 0.0)
    size = float(n) if pairs.clusters.are_single else moderated_size(differences, pairs.clusters)
    return scale, (wins / n * size, losses / n * size, size)


def mcnemar_p_value(n_wins: int, n_losses: int) -> float:
    """Return the exact two-sided p-value of McNemar's test: a fair coin over the discordant pairs; 1 without any."""
    n = n_wins + n_losses
    return min(1.0, 2 * float(bdtr(min(n_wins, n_losses), n, 0.5)))


def _score_interval(pairs: Pairs) -> Interval:
    scale, counts = score_counts(pairs)
    low, high = (scale * float(end) for end in tango_bounds(*counts, normal_quantile(LEVEL)))
    mean = float(pairs.differences.mean())
    method = "Tango score" if pairs.are_binary else "Tango score, scaled"
    if not pairs.clusters.are_single:
        method += f", at the effective sample size of {pairs.clusters.n} clusters"
    return Interval(mean, min(low, mean), max(high, mean), len(pairs.first), method)


def _score_tail(pairs: Pairs, point: float) -> float:
    scale, counts = score_counts(pairs)
    if scale == 0:
        return float(point >= 0)
    edge = 1 - 1e-12
    return float(ndtr(-tango_score(*counts, float(np.clip(point / scale, -edge, edge)))))


def _draw(pairs: Pairs, rng: np.random.Generator, n_resamples: int) -> Resample | None:
    """Resample; None where there is nothing to, because all pairs differ by the same."""
    differences = pairs.differences
    if np.ptp(differences) == 0:
        return None
    return resample(differences, pairs.clusters, rng=rng, n_resamples=n_resamples)
