"""Sums and sizes of clusters, and how often each was drawn -> resampled means -> BCa bounds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from neuroforge.errors import DataError
from neuroforge.statistics.clusters import Clusters

N_RESAMPLES = 4999
FEW_UNITS = 20
"""Below it a mean's resamples are too alike: Student's t bounds the interval too, and the wider end counts."""
_CHUNK = 2_000_000
"""Drawn at once, so that memory stays at tens of MB whatever the number of items."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resample:
    """Clusters and the means of their resamples."""

    sums: Floats
    """(n_units,), values of each cluster added up."""
    sizes: Floats
    """(n_units,), how many values each has."""
    means: Floats
    """(n_resamples,)."""


def count_draws(indices: NDArray[np.int64], n_units: int) -> Floats:
    """Count how often each unit was drawn: (n_resamples, n_drawn) -> (n_resamples, n_units)."""
    rows = np.arange(len(indices))[:, None] * n_units
    counts = np.bincount((indices + rows).ravel(), minlength=len(indices) * n_units)
    return counts.reshape(len(indices), n_units).astype(float)


def draw_counts(n_units: int, n_resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Draw units with replacement; yields blocks of (n_in_block, n_units) counts that make n_resamples together."""
    n_left, n_block = n_resamples, max(1, _CHUNK // n_units)
    while n_left > 0:
        n_now = min(n_left, n_block)
        yield count_draws(rng.integers(0, n_units, (n_now, n_units)), n_units)
        n_left -= n_now


def resample_means(sums: Floats, sizes: Floats, counts: Floats) -> Floats:
    """Return the mean of each resample: total of the drawn clusters over their number of values.

    Args:
        sums: (n_units,) or (n_units, n_columns), values of each cluster added up.
        sizes: (n_units,), how many values each has.
        counts: (n_resamples, n_units).
    Returns: (n_resamples,) or (n_resamples, n_columns).
    """
    drawn = counts @ sizes
    return (counts @ sums) / (drawn if sums.ndim == 1 else drawn[:, None])


def resample(
    values: Floats, clusters: Clusters, *, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Resample:
    """Draw whole clusters with replacement and keep the means.

    Args:
        values: (n,).
        clusters: Of the same n.
    Raises:
        DataError: One cluster only.
    """
    if clusters.n < 2:
        raise DataError(f"all {len(values)} values share one cluster: an interval needs at least two")
    sums = clusters.sums(values)
    blocks = draw_counts(clusters.n, n_resamples, rng)
    means = np.concatenate([resample_means(sums, clusters.sizes, block) for block in blocks])
    return Resample(sums, clusters.sizes, means)


def bca_bounds(drawn: Resample, level: float, widen: bool = True) -> Floats:
    """Return the low and high end of the bias-corrected and accelerated interval.

    Args:
        drawn: Of clusters or single items.
        level: Such as 0.95.
        widen: Take the tails from Student's t with a factor for the variance that resampling misses; without it the
            interval of a mean is too short for few units (and equals `scipy.stats.bootstrap`).
    Returns: (2,). The percentile interval where bias or acceleration cannot be told (all resamples on one side).
    Source: Efron, JASA 82 (1987); `widen`: Hesterberg, The American Statistician 69 (2015), section 4.2.
    """
    bias, acceleration = _corrections(drawn)
    reach = tail_reach(len(drawn.sums), level) if widen else float(ndtri((1 + level) / 2))
    ends = bias + np.array([-reach, reach])
    tails = ndtr(bias + ends / (1 - acceleration * ends))
    return np.asarray(np.percentile(drawn.means, 100 * tails), dtype=float)


def bca_tail(drawn: Resample, point: float) -> float:
    """Return the one-sided p-value against "the mean is at most `point`", such that it and `bca_bounds` agree.

    Returns: The tail at which the interval's low end meets `point`; at least 1 / (n_resamples + 1).
    """
    bias, acceleration = _corrections(drawn)
    n, n_units = len(drawn.means), len(drawn.sums)
    below = np.count_nonzero(drawn.means < point) + 0.5 * np.count_nonzero(drawn.means == point)
    shift = float(ndtri(np.clip(below / n, 1 / (n + 1), n / (n + 1)))) - bias
    reach = shift / (1 + acceleration * shift) - bias
    return float(max(stdtr(n_units - 1, reach * np.sqrt((n_units - 1) / n_units)), 1 / (n + 1)))


def safe_bounds(drawn: Resample, level: float) -> Floats:
    """Return the BCa bounds, and with fewer than 20 units the wider of theirs and Student's t at either end: (2,)."""
    bounds = bca_bounds(drawn, level)
    n_units = len(drawn.sums)
    if n_units >= FEW_UNITS:
        return bounds
    half = float(stdtrit(n_units - 1, (1 + level) / 2)) * standard_error(drawn.sums, drawn.sizes)
    mean = drawn.sums.sum() / drawn.sizes.sum()
    return np.array([min(bounds[0], mean - half), max(bounds[1], mean + half)])


def safe_tail(drawn: Resample, point: float) -> float:
    """Return the one-sided p-value against "the mean is at most `point`" that goes with `safe_bounds`."""
    tail = bca_tail(drawn, point)
    n_units = len(drawn.sums)
    if n_units >= FEW_UNITS:
        return tail
    mean = drawn.sums.sum() / drawn.sizes.sum()
    return max(tail, float(stdtr(n_units - 1, (point - mean) / standard_error(drawn.sums, drawn.sizes))))


def standard_error(sums: Floats, sizes: Floats) -> float:
    """Return the standard error of the mean over clusters, linearised; 0 for one cluster.

    Source: Liang and Zeger, Biometrika 73 (1986), with the factor n / (n - 1) over clusters.
    """
    n_units = len(sums)
    if n_units < 2:
        return 0.0
    residuals = sums - sizes * (sums.sum() / sizes.sum())
    return float(np.sqrt(n_units / (n_units - 1) * (residuals @ residuals)) / sizes.sum())


def tail_reach(n_units: int, level: float) -> float:
    """How many standard errors of the bootstrap the interval reaches: t's quantile times sqrt(n / (n - 1))."""
    return float(stdtrit(n_units - 1, (1 + level) / 2) * np.sqrt(n_units / (n_units - 1)))


def _corrections(drawn: Resample) -> tuple[float, float]:
    """Return bias and acceleration; zeros where the resamples do not tell them."""
    sums, sizes, means = drawn.sums, drawn.sizes, drawn.means
    mean = sums.sum() / sizes.sum()
    share = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * len(means))
    left_out = (sums.sum() - sums) / (sizes.sum() - sizes)
    influence = left_out.mean() - left_out
    spread = float(influence @ influence)
    if not 0 < share < 1 or spread <= 0:
        return 0.0, 0.0
    return float(ndtri(share)), float((influence**3).sum() / (6 * spread**1.5))
