"""Discordant pairs -> Tango's score test and interval of the difference of two paired proportions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroforge.errors import DataError

_N_HALVINGS = 60
"""Of an interval of width 2 at most: exact to the last digits of a double."""


def tango_score(n_wins: ArrayLike, n_losses: ArrayLike, n: ArrayLike, difference: ArrayLike) -> NDArray[np.float64]:
    """Return the score statistic against "the difference is `difference`"; standard normal where that is so.

    Args:
        n_wins: Pairs that only the first has right; elementwise with the others, and not necessarily whole.
        n_losses: Pairs that only the second has right.
        n: Pairs.
        difference: Of the proportions, first less second, strictly between -1 and 1.
    Source: Tango, Statistics in Medicine 17 (1998), 891-908.
    """
    wins, losses, n = np.asarray(n_wins, float), np.asarray(n_losses, float), np.asarray(n, float)
    difference = np.asarray(difference, float)
    linear = -wins - losses + (2 * n - wins + losses) * difference
    constant = -losses * difference * (1 - difference)
    losses_share = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * losses_share + difference * (1 - difference))
    gap = wins - losses - n * difference
    deviation = np.sqrt(np.maximum(variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0.0, gap / deviation)


def tango_bounds(
    n_wins: ArrayLike, n_losses: ArrayLike, n: ArrayLike, z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the differences that the score test at +-z does not reject, elementwise.

    There always are two ends: the statistic falls from z or more at -1 to -z or less at 1 (or the end is -1 or 1
    itself, where all pairs go one way), so Newcombe's method is not needed as a fallback.

    Raises:
        DataError: No pairs, or more discordant ones than pairs.
    """
    wins, losses, n = np.broadcast_arrays(np.asarray(n_wins, float), np.asarray(n_losses, float), np.asarray(n, float))
    if (n <= 0).any() or (wins < 0).any() or (losses < 0).any() or (wins + losses > n * (1 + 1e-12)).any():
        raise DataError("a difference of paired proportions needs pairs, and at most as many discordant ones")
    observed = (wins - losses) / n
    return -_find_end(losses, wins, n, -observed, z), _find_end(wins, losses, n, observed, z)


def _find_end(
    wins: NDArray[np.float64],
    losses: NDArray[np.float64],
    n: NDArray[np.float64],
    observed: NDArray[np.float64],
    z: float,
) -> NDArray[np.float64]:
    """Halve between what was observed and 1 until the statistic is -z."""
    inside, outside = observed.copy(), np.ones_like(observed)
    for _ in range(_N_HALVINGS):
        middle = (inside + outside) / 2
        holds = tango_score(wins, losses, n, middle) >= -z
        inside, outside = np.where(holds, middle, inside), np.where(holds, outside, middle)
    return outside
