"""Scores of two variants on the same items -> difference with interval, p-value and effect size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr

from neuroforge.errors import DataError
from neuroforge.statistics.bootstrap import Resample, bca_tail, resample
from neuroforge.statistics.clusters import Clusters, Labels, effective_size
from neuroforge.statistics.interval import LEVEL, Interval, normal_quantile
from neuroforge.statistics.means import (
    Bounds,
    bootstrap_interval,
    equal_interval,
    equal_tail,
    is_binary,
    select_present,
)
from neuroforge.statistics.score_interval import tango_bounds, tango_score
from neuroforge.statistics.signflip import sign_flip_p_value

ONE_SIDED_LEVEL = (1 - LEVEL) / 2
"""Of non-inferiority: a 95 % interval whose low end lies above the margin, and the test, say the same."""


@dataclass(frozen=True)
class PairedResult:
    """First variant less second on the items that both answered."""

    difference: Interval
    p_value: float
    """Two-sided, not corrected for how many comparisons are made."""
    test: str
    n_wins: int
    """Rows on which the first is better."""
    n_losses: int
    n_ties: int
    n_units: int
    """Independent units: rows, or clusters."""
    standard_error: float
    """Of the difference, over units; 0 where all are equal, and with one unit."""
    effect_size: float | None
    """Odds ratio of discordant pairs for 0/1 scores, else Cohen's d of the differences; None where it is infinite."""
    is_binary: bool


@dataclass(frozen=True)
class NonInferiority:
    """Whether the first variant is worse than the second by less than a margin."""

    holds: bool
    """The 95 % interval's low end lies above -margin: a one-sided test at 2.5 %."""
    difference: Interval
    p_value: float
    """One-sided."""
    test: str
    margin: float


@dataclass(frozen=True)
class _Pairs:
    """What both variants answered."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    clusters: Clusters
    bounds: Bounds | None
    """Of the differences."""

    @property
    def differences(self) -> NDArray[np.float64]:
        return self.first - self.second

    @property
    def are_binary(self) -> bool:
        return is_binary(self.first) and is_binary(self.second)


def compare_paired(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Labels | None = None,
    bounds: Bounds | None = None,
    *,
    rng: np.random.Generator,
) -> PairedResult:
    """Return how the scores of `a` differ from those of `b`, by the test that suits them.

    0/1 scores: exact McNemar test, Tango's score interval. Graded ones: sign-flip permutation test, BCa bootstrap
    of the mean difference. Clustered: signs flip by cluster; Tango's interval at the effective sample size, or the
    bootstrap of whole clusters. Rows where either is NaN are left out.

    Args:
        a: (n,) scores.
        b: (n,) scores of the same rows.
        clusters: (n,) labels: equal ones are not independent. None = all rows are.
        bounds: Of the scale of the scores, such as (0, 1); None = there are none.
    Raises:
        DataError: Lengths differ, no row has both, or all rows share one cluster.
    Source: McNemar, Psychometrika 12 (1947), exact by the binomial; Tango (1998); Efron (1987).
    """
    pairs = _pair(a, b, clusters, bounds)
    differences = pairs.differences
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    p_value, test = _test(pairs, wins, losses, rng)
    difference = _score_interval(pairs) if pairs.are_binary else _graded_interval(pairs, _draw(pairs, rng))
    return PairedResult(
        difference=difference,
        p_value=p_value,
        test=test,
        n_wins=wins,
        n_losses=losses,
        n_ties=len(differences) - wins - losses,
        n_units=pairs.clusters.n,
        standard_error=_standard_error(pairs),
        effect_size=_effect_size(pairs, wins, losses),
        is_binary=pairs.are_binary,
    )


def non_inferiority(
    a: ArrayLike,
    b: ArrayLike,
    margin: float,
    clusters: Labels | None = None,
    bounds: Bounds | None = None,
    *,
    rng: np.random.Generator,
) -> NonInferiority:
    """Return whether `a` is worse than `b` by less than `margin`, one-sided at 2.5 %.

    The test is the one whose inversion is the interval: Tango's score test at -margin for 0/1 scores (at the effective
    sample size where clustered), else the tail of the BCa bootstrap.

    Args:
        margin: How much worse is still good enough; >= 0, on the scale of the scores. 0 = must be better.
        a, b, clusters, bounds: As `compare_paired`.
    Raises:
        DataError: As `compare_paired`, or a negative margin.
    Source: Tango (1998), section 4; the inversion of BCa: Efron (1987).
    """
    if not margin >= 0:
        raise DataError(f"the margin says how much worse is good enough: 0 or more; got {margin:g}")
    pairs = _pair(a, b, clusters, bounds)
    if pairs.are_binary:
        difference = _score_interval(pairs)
        p_value, test = float(ndtr(-_score_at(pairs, -margin))), "Tango's score test"
    else:
        drawn = _draw(pairs, rng)
        difference = _graded_interval(pairs, drawn)
        p_value, test = _graded_tail(pairs, drawn, -margin), "BCa bootstrap"
    return NonInferiority(difference.low > -margin and p_value <= ONE_SIDED_LEVEL, difference, p_value, test, margin)


def _pair(a: ArrayLike, b: ArrayLike, clusters: Labels | None, bounds: Bounds | None) -> _Pairs:
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise DataError(f"scores of {first.shape} and {second.shape} items: pairs need the same items in one order")
    both = np.where(np.isnan(first) | np.isnan(second), np.nan, 1.0)
    kept, groups = select_present(first * both, clusters, bounds)
    others, _ = select_present(second * both, clusters, bounds)
    reach = None if bounds is None else bounds[1] - bounds[0]
    return _Pairs(kept, others, groups, None if reach is None else (-reach, reach))


def _test(pairs: _Pairs, wins: int, losses: int, rng: np.random.Generator) -> tuple[float, str]:
    if pairs.are_binary and pairs.clusters.are_single:
        return mcnemar_p_value(wins, losses), "exact McNemar"
    p_value, test = sign_flip_p_value(pairs.clusters.sums(pairs.differences), rng=rng)
    return p_value, test if pairs.clusters.are_single else f"{test} by cluster"


def mcnemar_p_value(n_wins: int, n_losses: int) -> float:
    """Return the exact two-sided p-value of McNemar's test: a fair coin over the discordant pairs; 1 without any."""
    n = n_wins + n_losses
    return min(1.0, 2 * float(bdtr(min(n_wins, n_losses), n, 0.5)))


def _score_at(pairs: _Pairs, point: float) -> float:
    """Return Tango's statistic at a difference; beyond what can be, the side says all."""
    if not -1 < point < 1:
        return float(np.copysign(np.inf, -point))
    return float(tango_score(*_effective_counts(pairs), point))


def _effective_counts(pairs: _Pairs) -> tuple[float, float, float]:
    """Return wins, losses and pairs, scaled down to what clustered pairs are worth."""
    differences = pairs.differences
    n, wins, losses = len(differences), float((differences > 0).sum()), float((differences < 0).sum())
    if pairs.clusters.are_single:
        return wins, losses, float(n)
    variance = (wins + losses) / n - ((wins - losses) / n) ** 2
    size = effective_size(differences, pairs.clusters, variance, LEVEL)
    return wins / n * size, losses / n * size, size


def _score_interval(pairs: _Pairs) -> Interval:
    low, high = tango_bounds(*_effective_counts(pairs), normal_quantile(LEVEL))
    mean = float(pairs.differences.mean())
    method = "Tango score"
    if not pairs.clusters.are_single:
        method += f" at the effective sample size of {pairs.clusters.n} clusters"
    return Interval(mean, min(float(low), mean), max(float(high), mean), len(pairs.first), method)


def _draw(pairs: _Pairs, rng: np.random.Generator) -> Resample | None:
    """Resample; None where there is nothing to, because all pairs differ by the same."""
    differences = pairs.differences
    return None if np.ptp(differences) == 0 else resample(differences, pairs.clusters, rng=rng)


def _graded_interval(pairs: _Pairs, drawn: Resample | None) -> Interval:
    if drawn is None:
        return equal_interval(float(pairs.differences[0]), pairs.clusters, pairs.bounds)
    return bootstrap_interval(drawn, pairs.bounds)


def _graded_tail(pairs: _Pairs, drawn: Resample | None, point: float) -> float:
    if drawn is None:
        return equal_tail(float(pairs.differences[0]), pairs.clusters, pairs.bounds, point)
    return bca_tail(drawn, point)


def _standard_error(pairs: _Pairs) -> float:
    n, n_units = len(pairs.first), pairs.clusters.n
    if n_units < 2:
        return 0.0
    differences = pairs.differences
    residuals = pairs.clusters.sums(differences - differences.mean())
    return float(np.sqrt(n_units / (n_units - 1) * (residuals @ residuals))) / n


def _effect_size(pairs: _Pairs, wins: int, losses: int) -> float | None:
    if pairs.are_binary:
        return wins / losses if losses else None
    differences = pairs.differences
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return float(differences.mean()) / spread if spread > 0 else None
