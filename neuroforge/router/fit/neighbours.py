"""Past outcomes near a question -> what they say beyond the task: every row, or prototypes that sum up many rows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.fit.kernel import Points, similarity, squared_lengths

Floats = NDArray[np.float64]

MAX_EXACT = 10_000
"""Outcomes that are kept one by one; above, N_PROTOTYPES groups keep counts and sums."""
N_PROTOTYPES = 8_192
BLOCK = 8_192


@dataclass(frozen=True)
class Neighbours:
    """Kernel regression: weights fall with the squared distance, and few weights mean little is said."""

    points: Points
    """(n_points, n_features)."""
    sums: Points
    counts: Points
    """(n_points, n_models): the outcomes' residuals added up, and how many there are."""
    width: float
    shrinkage: float
    """Outcomes at distance 0 that it takes to believe half of them."""

    def similarities(self, points: Points) -> Points:
        """Return (n, n_points) at this width."""
        return similarity(points, self.points, self.width, self._squares)

    @cached_property
    def _squares(self) -> Points:
        return squared_lengths(self.points)

    def average(self, weights: Points) -> Floats:
        """Return (n, n_models) from similarities (n, n_points) at this width."""
        return np.asarray((weights @ self.sums) / (weights @ self.counts + self.shrinkage), dtype=np.float64)


def group(points: Points, rng: np.random.Generator) -> tuple[Points, NDArray[np.intp]]:
    """Return at most N_PROTOTYPES centres and each row's: random rows, each moved once to the mean of its own."""
    if len(points) <= MAX_EXACT:
        return points, np.arange(len(points))
    centres = points[np.sort(rng.permutation(len(points))[:N_PROTOTYPES])]
    nearest = find_nearest(points, centres)
    moved = add_up(nearest, points, len(centres)) / np.maximum(np.bincount(nearest, minlength=len(centres)), 1)[:, None]
    centres = moved.astype(np.float32)
    return centres, find_nearest(points, centres)


def find_nearest(points: Points, centres: Points) -> NDArray[np.intp]:
    """Return each row's nearest centre."""
    half = (centres**2).sum(axis=1) / 2
    blocks = [
        np.argmax(points[start : start + BLOCK] @ centres.T - half, axis=1) for start in range(0, len(points), BLOCK)
    ]
    return np.concatenate(blocks)


def add_up(groups: NDArray[np.intp], rows: NDArray[np.floating], n_groups: int) -> Floats:
    """Return (n_groups, n_columns): the rows of each group added."""
    sums = np.zeros((n_groups, rows.shape[1]))
    for column in range(rows.shape[1]):
        sums[:, column] = np.bincount(groups, weights=rows[:, column], minlength=n_groups)
    return sums


def left_out_averages(
    neighbours: Neighbours, sample: Points, own: NDArray[np.intp], residuals: Floats, is_known: NDArray[np.bool_]
) -> Floats:
    """Return what each sample row would be told without its own outcomes.

    Args:
        sample: (n, n_features); own: (n,), the point that holds the row's outcomes.
        residuals, is_known: (n, n_models), what the row put into that point.
    """
    out = np.zeros(residuals.shape)
    for start in range(0, len(sample), 1_024):
        rows = slice(start, start + 1_024)
        weights = neighbours.similarities(sample[rows])
        at_own = weights[np.arange(len(weights)), own[rows]][:, None]
        total = weights @ neighbours.sums - at_own * residuals[rows]
        count = weights @ neighbours.counts - at_own * is_known[rows]
        out[rows] = total / (np.maximum(count, 0) + neighbours.shrinkage)
    return out
