"""Successes out of trials -> an interval of the probability."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from neuroforge.errors import DataError
from neuroforge.statistics.clusters import Clusters, effective_size
from neuroforge.statistics.interval import LEVEL, Interval, normal_quantile

Bounds = tuple[float, float]
SMALL_N = 40
"""Below it the Beta-Binomial interval is taken (Brown, Cai, DasGupta 2001, section 5)."""
JEFFREYS = 0.5
UNIFORM = 1.0


def proportion_interval(n_success: int, n: int, level: float = LEVEL) -> Interval:
    """Return the interval that suits n: Beta-Binomial with Jeffreys' prior below 40 trials, else Wilson's.

    Raises:
        DataError: No trials, or more successes than trials.
    Source: Brown, Cai, DasGupta, Interval estimation for a binomial proportion, Statistical Science 16 (2001).
    """
    return beta_binomial_interval(n_success, n, level=level) if n < SMALL_N else wilson_interval(n_success, n, level)


def wilson_interval(n_success: float, n: int, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval; it never leaves 0..1, and has width at 0 and n successes.

    Raises:
        DataError: As `proportion_interval`.
    """
    _check(n_success, n)
    share = n_success / n
    low, high = wilson_bounds(share, n, normal_quantile(level))
    return Interval(share, min(float(low), share), max(float(high), share), n, "wilson")


def wilson_bounds(share: ArrayLike, n: ArrayLike, z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's bounds, elementwise; n need not be whole, so that an effective sample size can be given.

    Source: Wilson, JASA 22 (1927).
    """
    share, n = np.asarray(share, float), np.asarray(n, float)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def beta_binomial_interval(n_success: int, n: int, prior: float = JEFFREYS, level: float = LEVEL) -> Interval:
    """Return the equal-tailed interval of the Beta posterior under a symmetric Beta(prior, prior).

    With no success the low end is 0, with no failure the high end 1, as the source advises.

    Raises:
        DataError: As `proportion_interval`, or a prior that is not positive.
    Source: Brown, Cai, DasGupta (2001), section 4.1.2; its modification at the ends.
    """
    _check(n_success, n)
    if prior <= 0:
        raise DataError(f"a Beta prior is positive (0.5 = Jeffreys, 1 = uniform); got {prior:g}")
    tail = (1 - level) / 2
    first, second = n_success + prior, n - n_success + prior
    low = 0.0 if n_success == 0 else float(betaincinv(first, second, tail))
    high = 1.0 if n_success == n else float(betaincinv(first, second, 1 - tail))
    name = {JEFFREYS: "Jeffreys", UNIFORM: "uniform"}.get(prior, f"{prior:g}")
    share = n_success / n
    return Interval(share, min(low, share), max(high, share), n, f"beta-binomial ({name} prior)")


def effective_wilson_interval(values: NDArray[np.float64], clusters: Clusters, bounds: Bounds) -> Interval:
    """Return Wilson's 95 % interval at the effective sample size: for clustered 0/1 scores and few graded ones.

    It leans to the middle of the scale as a mean near its end must, where resampling few values cannot know of others.

    Args:
        values: (n,), within the bounds. Where they are nothing but the bounds, they are worth n at most.
        clusters: Of the same n.
        bounds: Of the scale, low and high.
    Source: Korn and Graubard, Survey Methodology 24 (1998), with Wilson's interval in place of Clopper-Pearson's.
    """
    low, width = bounds[0], bounds[1] - bounds[0]
    shares = (values - low) / width
    share = float(shares.mean())
    limit = float(len(shares)) if np.isin(shares, (0.0, 1.0)).all() else np.inf
    size = effective_size(shares, clusters, share * (1 - share), limit)
    ends = wilson_bounds(share, size, normal_quantile(LEVEL))
    mean, bottom, top = float(values.mean()), low + width * float(ends[0]), low + width * float(ends[1])
    units = "" if clusters.are_single else f" of {clusters.n} clusters"
    return Interval(mean, min(bottom, mean), max(top, mean), len(values), f"wilson at the effective sample size{units}")


def _check(n_success: float, n: int) -> None:
    if n < 1:
        raise DataError("no trials: a proportion needs at least one")
    if not 0 <= n_success <= n:
        raise DataError(f"{n_success:g} successes out of {n} trials: must be between 0 and {n}")
