"""A mean with its interval and the method that made it."""

from dataclasses import dataclass

from scipy.special import ndtri

from neuroforge.contracts.rules import Estimate
from neuroforge.errors import DataError

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean (or a difference of means), its interval and how that was made; `low <= mean <= high`."""

    mean: float
    low: float
    high: float
    n: int
    """Items behind it, not clusters."""
    method: str
    """Such as `wilson`, `cluster bootstrap BCa`; reports print it."""

    def estimate(self) -> Estimate:
        """Return the contract that carries it between rooms; the method travels beside it."""
        return Estimate(mean=self.mean, low=self.low, high=self.high, n=self.n)


def normal_quantile(level: float) -> float:
    """Return z such that a normal deviate lies within +-z with probability `level`.

    Raises:
        DataError: The level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise DataError(f"a confidence level lies between 0 and 1, such as 0.95; got {level:g}")
    return float(ndtri((1 + level) / 2))
