"""Fitness of candidates on the same items -> who goes on. Losers stop by a paired test, not by their mean alone."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from neuroforge.contracts.rules import Estimate
from neuroforge.statistics.means import mean_interval

ALPHA = 0.2
"""Of each comparison in a race. A race that drops a good candidate costs that candidate; the proof comes later, on
fresh items. CAPO's value (arXiv:2504.16005)."""
_FEWEST = 5
"""Items below which nobody is dropped."""

Fitness = Mapping[str, float]
"""By item id; items without a fitness are absent."""


def mean_fitness(fitness: Fitness) -> float:
    """Return the mean over what was measured; -inf of nothing, so that it ranks last."""
    return float(np.mean(list(fitness.values()))) if fitness else float("-inf")


def estimate(values: Sequence[float], rng: np.random.Generator) -> Estimate | None:
    """Return the mean of scores with its 95 % interval; None of nothing."""
    if not values:
        return None
    found = mean_interval(values, bounds=(0.0, 1.0), rng=rng)
    return Estimate(mean=found.mean, low=found.low, high=found.high, n=found.n)


def survivors(fitness_by_id: Mapping[str, Fitness], n_wanted: int, alpha: float = ALPHA) -> tuple[str, ...]:
    """Return who goes on, best first: all but those whom at least `n_wanted` others beat significantly.

    A candidate is beaten by another if a one-sided paired t test on the items that both saw says so at `alpha`, or the
    other is better on each of them. Ties keep the order of the mapping.
    """
    ranked = sorted(fitness_by_id, key=lambda one: -mean_fitness(fitness_by_id[one]))
    kept = []
    for name in ranked:
        n_better = sum(is_beaten(fitness_by_id[name], fitness_by_id[other], alpha) for other in ranked if other != name)
        if n_better < n_wanted:
            kept.append(name)
    return tuple(kept)


def is_beaten(mine: Fitness, others: Fitness, alpha: float = ALPHA) -> bool:
    """Whether the other is better on the items that both saw, by more than chance."""
    differences = paired(others, mine)
    if len(differences) < _FEWEST:
        return False
    return p_better(differences) < alpha


def p_better(differences: NDArray[np.float64]) -> float:
    """Return the one-sided p value of "the mean difference is above 0": Student's paired t test.

    Constant differences have no spread: 0 if they are above 0, else 1. Fewer than two: 1.
    """
    n = len(differences)
    if n < 2:
        return 1.0
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread == 0.0:
        return 0.0 if mean > 0 else 1.0
    return float(stdtr(n - 1, -mean / (spread / np.sqrt(n))))


def paired(one: Fitness, other: Fitness) -> NDArray[np.float64]:
    """Return one less other on the items that both saw, in the order of `one`."""
    return np.array([value - other[item] for item, value in one.items() if item in other], dtype=np.float64)


def pareto_front(points: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Return those that no other beats in every objective at once; objectives are to be as small as possible.

    Of equal points all stay.
    """
    return tuple(
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for rival, other in points.items() if rival != name)
    )


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
