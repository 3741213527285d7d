"""As `means` and `paired`, but from thousands of units on by Student's t: resampling would say the same, in minutes."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from neuroforge.statistics.bootstrap import standard_error
from neuroforge.statistics.clusters import Labels
from neuroforge.statistics.interval import LEVEL, Interval
from neuroforge.statistics.means import is_binary, mean_interval, select_present
from neuroforge.statistics.paired import PairedResult, compare_paired
from neuroforge.statistics.pairs import Pairs, pair_up
from neuroforge.statistics.proportions import Bounds

MANY_UNITS = 2000
"""Independent units that differ. Skewness shrinks by its root: of a skewness of 10, the mean keeps 0.2."""


def quick_mean_interval(
    values: ArrayLike, clusters: Labels | None = None, bounds: Bounds | None = None, *, rng: np.random.Generator
) -> Interval:
    """Return `mean_interval`, by t where that would resample more than MANY_UNITS units.

    Arguments and errors as `mean_interval`.
    """
    kept, groups = select_present(values, clusters, bounds)
    if groups.n <= MANY_UNITS or is_binary(kept, bounds) or np.ptp(kept) == 0:
        return mean_interval(values, clusters, bounds, rng=rng)
    error = standard_error(groups.sums(kept), groups.sizes)
    return _t_interval(float(kept.mean()), error, groups.n, len(kept), bounds)


def quick_compare_paired(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Labels | None = None,
    bounds: Bounds | None = None,
    *,
    rng: np.random.Generator,
) -> PairedResult:
    """Return `compare_paired`, by the paired t-test over units where that would resample more than MANY_UNITS units.

    Arguments and errors as `compare_paired`.
    """
    pairs = pair_up(a, b, clusters, bounds)
    sums = pairs.clusters.sums(pairs.differences)
    if np.count_nonzero(sums) <= MANY_UNITS or (pairs.are_binary and pairs.clusters.are_single):
        return compare_paired(a, b, clusters, bounds, rng=rng)
    differences, n_units = pairs.differences, pairs.clusters.n
    error = standard_error(sums, pairs.clusters.sizes)
    mean = float(differences.mean())
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return PairedResult(
        difference=_t_interval(mean, error, n_units, len(differences), pairs.bounds),
        p_value=float(2 * stdtr(n_units - 1, -abs(mean) / error)) if error > 0 else float(mean == 0),
        test="paired t" if pairs.clusters.are_single else "paired t by cluster",
        n_wins=wins,
        n_losses=losses,
        n_ties=len(differences) - wins - losses,
        n_units=n_units,
        standard_error=error,
        effect_size=_effect_size(pairs, wins, losses),
        is_binary=pairs.are_binary,
    )


def _t_interval(mean: float, error: float, n_units: int, n: int, bounds: Bounds | None) -> Interval:
    reach = float(stdtrit(n_units - 1, (1 + LEVEL) / 2)) * error
    low, high = mean - reach, mean + reach
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    method = "t" if n_units == n else f"t over {n_units} clusters"
    return Interval(mean, min(low, mean), max(high, mean), n, method)


def _effect_size(pairs: Pairs, wins: int, losses: int) -> float | None:
    if pairs.are_binary:
        return wins / losses if losses else None
    spread = float(pairs.differences.std(ddof=1))
    return float(pairs.differences.mean()) / spread if spread > 0 else None
