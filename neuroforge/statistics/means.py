"""Scores -> the interval of their mean: by counting where they are 0 or 1, else by resampling items or clusters."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroforge.errors import DataError
from neuroforge.statistics.bootstrap import FEW_UNITS, N_RESAMPLES, Resample, resample, safe_bounds
from neuroforge.statistics.clusters import Clusters, Labels, find_clusters
from neuroforge.statistics.interval import LEVEL, Interval
from neuroforge.statistics.proportions import Bounds, effective_wilson_interval, proportion_interval

FEW_UNITS_ON_A_SCALE = 40
"""Below it the mean of graded scores gets Wilson's interval: docs/decisions/120."""


def mean_interval(
    values: ArrayLike,
    clusters: Labels | None = None,
    bounds: Bounds | None = None,
    *,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """Return the mean with a 95 % interval by the method that suits the values; `Interval.method` says which.

    0 and 1 only: Beta-Binomial, Wilson, or Wilson at the effective sample size of clusters. Graded: BCa bootstrap of
    the mean, of whole clusters where values share one; below 40 items or clusters on a scale with bounds, Wilson at
    the effective sample size. All equal: what the `bounds` allow that was not seen.

    Args:
        values: (n,); NaN = missing, left out.
        clusters: (n,) labels: equal ones are not independent (repeats of an item, items of a passage).
        bounds: Of the scale, such as (0, 1); the interval stays within. None = there are none.
    Raises:
        DataError: Nothing left, an infinite value, one outside the bounds, or all of several values in one cluster.
    """
    kept, groups = select_present(values, clusters, bounds)
    n = len(kept)
    if is_binary(kept, bounds):
        if groups.are_single:
            return proportion_interval(int(kept.sum()), n)
        return effective_wilson_interval(kept, groups, (0.0, 1.0))
    if np.ptp(kept) == 0:
        return equal_interval(float(kept[0]), groups, bounds)
    if bounds is not None and groups.n < FEW_UNITS_ON_A_SCALE:
        return effective_wilson_interval(kept, groups, bounds)
    return bootstrap_interval(resample(kept, groups, rng=rng, n_resamples=n_resamples), bounds)


def bootstrap_interval(drawn: Resample, bounds: Bounds | None = None) -> Interval:
    """Return the mean with the 95 % BCa interval over clusters, t-corrected for few of them, kept within bounds."""
    n_units, n = len(drawn.sums), int(drawn.sizes.sum())
    mean = float(drawn.sums.sum() / n)
    low, high = (float(end) for end in safe_bounds(drawn, LEVEL))
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    method = "bootstrap BCa" if n_units == n else f"cluster bootstrap BCa ({n_units} clusters)"
    if n_units < FEW_UNITS:
        method += " or t, the wider"
    return Interval(mean, min(low, mean), max(high, mean), n, method)


def select_present(
    values: ArrayLike, clusters: Labels | None, bounds: Bounds | None
) -> tuple[NDArray[np.float64], Clusters]:
    """Leave missing values out, with their labels; see `mean_interval` for arguments and errors."""
    given = np.asarray(values, dtype=float)
    if given.ndim != 1:
        raise DataError(f"scores are one row of numbers; got an array of shape {given.shape}")
    find_clusters(clusters, len(given))
    present = ~np.isnan(given)
    kept = given[present]
    if len(kept) == 0:
        raise DataError(f"no score among {len(given)} values: there is no mean")
    if not np.isfinite(kept).all():
        raise DataError("an infinite score has no mean; leave it out as missing (NaN)")
    if bounds is not None and (kept.min() < bounds[0] or kept.max() > bounds[1]):
        raise DataError(f"scores from {kept.min():g} to {kept.max():g} leave the bounds {bounds[0]:g} to {bounds[1]:g}")
    labels = None if clusters is None else [label for label, here in zip(clusters, present, strict=True) if here]
    return kept, find_clusters(labels, len(kept))


def is_binary(values: NDArray[np.float64], bounds: Bounds | None) -> bool:
    """Whether there is nothing but 0 and 1; zeros alone count only on a scale (costs of 0 USD are no failures)."""
    return bool(np.isin(values, (0.0, 1.0)).all()) and (bounds is not None or bool(values.any()))


def equal_interval(value: float, clusters: Clusters, bounds: Bounds | None) -> Interval:
    """Return how far the mean may lie from n equal values: a share that n draws miss, at the far end of the scale.

    Source: Hanley and Lippman-Hand, If nothing goes wrong, is everything all right?, JAMA 249 (1983).
    """
    n = len(clusters.index)
    if bounds is None:
        if clusters.n < 2:
            raise DataError("one value alone, on a scale without bounds, has no interval")
        return Interval(value, value, value, n, "all values equal")
    unseen = 1 - ((1 - LEVEL) / 2) ** (1 / clusters.n)
    low, high = value + unseen * (bounds[0] - value), value + unseen * (bounds[1] - value)
    return Interval(value, min(low, value), max(high, value), n, "all values equal: rule of three")


def equal_tail(value: float, clusters: Clusters, bounds: Bounds | None, point: float) -> float:
    """Return the one-sided p-value against "the mean is at most `point`" that matches `equal_interval`.

    Without bounds it is the sign test's: the chance that all clusters lie on one side of a median.
    """
    if point >= value:
        return 1.0
    if bounds is None:
        return float(0.5**clusters.n)
    return float(max(0.0, 1 - (value - point) / (value - bounds[0])) ** clusters.n)
