"""Scores of two variants on the same items -> difference with interval, p-value and effect size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neuroforge.errors import DataError
from neuroforge.statistics.bootstrap import standard_error
from neuroforge.statistics.clusters import Labels
from neuroforge.statistics.interval import LEVEL, Interval
from neuroforge.statistics.pairs import Pairs, difference_interval, difference_tail, pair_up, paired_p_value
from neuroforge.statistics.proportions import Bounds

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
    of the mean difference (Tango's interval, scaled, where few pairs differ). Clustered: signs flip by cluster;
    Tango's interval at the effective sample size, or the bootstrap of whole clusters. Rows with a NaN are left out.

    Args:
        a: (n,) scores.
        b: (n,) scores of the same rows.
        clusters: (n,) labels: equal ones are not independent. None = all rows are.
        bounds: Of the scale of the scores, such as (0, 1); None = there are none.
    Raises:
        DataError: Lengths differ, no row has both, or all rows share one cluster.
    Source: McNemar, Psychometrika 12 (1947), exact by the binomial; Tango (1998); Efron (1987).
    """
    pairs = pair_up(a, b, clusters, bounds)
    differences = pairs.differences
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    p_value, test = paired_p_value(pairs, rng=rng)
    return PairedResult(
        difference=difference_interval(pairs, rng=rng),
        p_value=p_value,
        test=test,
        n_wins=wins,
        n_losses=losses,
        n_ties=len(differences) - wins - losses,
        n_units=pairs.clusters.n,
        standard_error=standard_error(pairs.clusters.sums(differences), pairs.clusters.sizes),
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

    The test is the one whose inversion is the interval of `compare_paired`: Tango's score test at -margin, or the tail
    of the BCa bootstrap.

    Args:
        margin: How much worse is still good enough; >= 0, on the scale of the scores. 0 = must be better.
        a, b, clusters, bounds: As `compare_paired`.
    Raises:
        DataError: As `compare_paired`, or a negative margin.
    Source: Tango (1998), section 4; the inversion of BCa: Efron (1987).
    """
    if not margin >= 0:
        raise DataError(f"the margin says how much worse is good enough: 0 or more; got {margin:g}")
    pairs, seed = pair_up(a, b, clusters, bounds), int(rng.integers(2**32))
    difference = difference_interval(pairs, rng=np.random.default_rng(seed))
    p_value, test = difference_tail(pairs, -margin, rng=np.random.default_rng(seed))
    return NonInferiority(difference.low > -margin and p_value <= ONE_SIDED_LEVEL, difference, p_value, test, margin)


def _effect_size(pairs: Pairs, wins: int, losses: int) -> float | None:
    if pairs.are_binary:
        return wins / losses if losses else None
    differences = pairs.differences
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return float(differences.mean()) / spread if spread > 0 else None
