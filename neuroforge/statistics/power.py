"""What a comparison could have shown: the smallest difference it would see, the items that one like it would need."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from neuroforge.errors import DataError
from neuroforge.statistics.interval import normal_quantile
from neuroforge.statistics.paired import PairedResult

POWER = 0.8
ALPHA = 0.05
MAX_N = 10**9
"""More items than anyone has: such a need is told as None."""


@dataclass(frozen=True)
class Power:
    """Two-sided 5 %, power .8."""

    minimum_detectable: float | None
    """Difference that these items would show; None where the items never differed, or no difference would do."""
    n_needed: int | None
    """Items at which a difference like the one seen would be shown; None where it is 0, or nobody has so many."""


def power_of(result: PairedResult) -> Power:
    """Return what a comparison could have shown, from the variance it saw.

    0/1 scores without clusters: by discordant pairs. Else by t over units; clusters are taken to stay as large.
    """
    n, seen = result.difference.n, abs(result.difference.mean)
    if result.is_binary and result.n_units == n:
        discordance = (result.n_wins + result.n_losses) / n
        if discordance == 0:
            return Power(None, None)
        return Power(detectable_discordant(discordance, n), n_for_discordant(seen, discordance) if seen > 0 else None)
    spread = result.standard_error * math.sqrt(result.n_units)
    if spread == 0:
        return Power(None, None)
    n_units = n_for_mean(seen, spread) if seen > 0 else None
    return Power(
        detectable_mean(spread, result.n_units), None if n_units is None else math.ceil(n_units * n / result.n_units)
    )


def detectable_mean(spread: float, n: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Return the mean difference that a paired t-test of n would show; None below two items.

    Args:
        spread: Standard deviation of the differences; > 0.
        n: Independent items.
    Raises:
        DataError: No spread.
    Source: noncentral t, by statsmodels' TTestPower.
    """
    _check_spread(spread)
    if n < 2:
        return None
    return _detectable_effect(n, alpha, power) * spread


@lru_cache(maxsize=4096)
def _detectable_effect(n: int, alpha: float, power: float) -> float:
    """Return the mean in standard deviations; kept, since comparisons of one experiment share their n."""
    from statsmodels.stats.power import TTestPower  # a second of import

    # An array of one value where its first search does not end, such as for n = 87.
    return float(np.squeeze(TTestPower().solve_power(nobs=n, alpha=alpha, power=power)))


def n_for_mean(difference: float, spread: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Return the items at which a paired t-test shows a mean difference; None above 1e9.

    Raises:
        DataError: No difference or no spread.
    Source: As `detectable_mean`.
    """
    _check_spread(spread)
    _check_difference(difference)
    effect = abs(difference) / spread
    rough = ((normal_quantile(1 - alpha) + _quantile_of_power(power)) / effect) ** 2
    if rough > MAX_N:
        return None
    from statsmodels.stats.power import TTestPower

    test, n = TTestPower(), max(2, math.floor(rough) - 2)
    while test.power(effect, n, alpha) < power:
        n += 1
    return n


def detectable_discordant(discordance: float, n: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Return the difference of paired proportions that McNemar's test of n pairs would show.

    Args:
        discordance: Share of pairs on which the two differ; 0 < discordance <= 1.
        n: Pairs.
    Returns: None where even all discordant pairs on one side would not do.
    Raises:
        DataError: A discordance outside its range, or no pairs.
    Source: Connor, Biometrics 43 (1987), 207-211, solved for the difference.
    """
    _check_discordance(discordance)
    if n < 1:
        raise DataError("no pairs: nothing could be shown")
    if _pairs_needed(discordance, discordance, alpha, power) > n:
        return None
    low, high = 0.0, discordance
    for _ in range(60):
        middle = (low + high) / 2
        if _pairs_needed(middle, discordance, alpha, power) > n:
            low = middle
        else:
            high = middle
    return high


def n_for_discordant(difference: float, discordance: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Return the pairs at which McNemar's test shows a difference of paired proportions; None above 1e9.

    Raises:
        DataError: A discordance outside 0..1 or smaller than the difference, or no difference.
    Source: As `detectable_discordant`.
    """
    _check_discordance(discordance)
    _check_difference(difference)
    if abs(difference) > discordance * (1 + 1e-12):
        raise DataError(f"a difference of {difference:g} cannot come from {discordance:g} discordant pairs")
    needed = _pairs_needed(abs(difference), discordance, alpha, power)
    return None if needed > MAX_N else math.ceil(needed)


def _pairs_needed(difference: float, discordance: float, alpha: float, power: float) -> float:
    if difference <= 0:
        return math.inf
    spread = math.sqrt(max(0.0, discordance - difference**2))
    reach = normal_quantile(1 - alpha) * math.sqrt(discordance) + _quantile_of_power(power) * spread
    return (reach / difference) ** 2


def _quantile_of_power(power: float) -> float:
    if not 0.5 <= power < 1:
        raise DataError(f"power is the chance to see a difference that is there, 0.5 to 1; got {power:g}")
    return normal_quantile(2 * power - 1) if power > 0.5 else 0.0


def _check_spread(spread: float) -> None:
    if not spread > 0:
        raise DataError(f"the standard deviation of the differences is positive; got {spread:g}")


def _check_difference(difference: float) -> None:
    if difference == 0 or not math.isfinite(difference):
        raise DataError(f"a difference of {difference:g} needs no sample size: it is not there")


def _check_discordance(discordance: float) -> None:
    if not 0 < discordance <= 1:
        raise DataError(f"discordance is a share of pairs above 0 and at most 1; got {discordance:g}")
