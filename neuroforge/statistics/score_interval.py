"""Discordant pairs -> Tango's score test and interval of the difference of two paired proportions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroforge.errors import DataError

_N_HALVINGS = 44
"""Of an interval of width 2 at most: exact to 1e-13."""


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
    both_ways = np.stack([losses, wins]), np.stack([wins, losses])  # the low end is the high end the other way round
    ends = _find_high_ends(*both_ways, n, z)
    return -ends[0], ends[1]


def scale_counts(differences: NDArray[np.float64], reach: float) -> tuple[float, float, float]:
    """Return scale, wins and losses: discordant pairs of that size with the same sum and no less a sum of squares.

    0/1 scores give 1 and the counts themselves. One difference of the largest size is added where the scale is
    made, because the few that were seen do not show how large a rare one can be; none seen: the scale is `reach`.

    Args:
        differences: (n,), of graded pairs.
        reach: Largest size that a difference can have.
    Source: Tango's test on what Bohm and Zech, NIM A 748 (2014), do for sums of rare events with weights.
    """
    sizes = np.abs(differences)
    scale = float((sizes @ sizes + reach**2) / (sizes.sum() + reach))
    return scale, float(differences[differences > 0].sum()) / scale, -float(differences[differences < 0].sum()) / scale


def _find_high_ends(
    wins: NDArray[np.float64], losses: NDArray[np.float64], n: NDArray[np.float64], z: float
) -> NDArray[np.float64]:
    """Halve between what was observed and 1 until the statistic is -z."""
    inside = (wins - losses) / n
    outside = np.ones_like(inside)
    for _ in range(_N_HALVINGS):
        middle = (inside + outside) / 2
        holds = tango_score(wins, losses, n, middle) >= -z
        inside, outside = np.where(holds, middle, inside), np.where(holds, outside, middle)
    return outside
