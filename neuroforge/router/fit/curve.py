"""Predicted quality and prices -> the cost-quality curve, its area, and where it reaches the best single model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_PRICES = 60
"""Points of the curve: exchange rates between quality and cost."""
N_QUANTILES = 10
"""RouteLLM's metrics split the strong model's share into tenths."""


class CurvePoint(NamedTuple):
    """What one exchange rate between quality and money gives."""

    cost: float
    """Mean a question, in the unit of the costs that were given."""
    score: float


class StrongShare(NamedTuple):
    """RouteLLM's metrics for two models (arXiv:2406.18665): shares of questions sent to the stronger one, 0..1."""

    apgr: float
    """Area under the curve of recovered gap; 0.5 = random."""
    cpt50: float
    """Share of strong calls needed for half of the gap; 1 if it takes all."""
    cpt80: float


def trace_curve(quality: Floats, expected_costs: Floats, scores: Floats, costs: Floats) -> list[CurvePoint]:
    """Return the points from all-cheap to all-quality: each question goes to the largest quality - rate * cost.

    Args:
        quality: (n, n_models), what the router expects; -inf where a model cannot be chosen.
        expected_costs: (n_models,), known before the question; >= 0.
        scores, costs: (n, n_models), what they really got and took.
    """
    spread = max(float(expected_costs.max() - expected_costs.min()), 1e-12)
    rates = np.concatenate([[0.0], np.geomspace(1e-3, 1e2, N_PRICES - 1)]) / spread
    rows = np.arange(len(scores))
    points = []
    for rate in rates[::-1]:
        chosen = np.argmax(quality - rate * expected_costs, axis=1)
        points.append(CurvePoint(float(costs[rows, chosen].mean()), float(scores[rows, chosen].mean())))
    return points


def cost_at(points: list[CurvePoint], score: float) -> float | None:
    """Return the least cost at which the curve reaches the score, between points by straight lines; None = nowhere."""
    ordered = _undominated(points)
    for before, after in zip([None, *ordered[:-1]], ordered, strict=True):
        if after.score < score:
            continue
        if before is None:
            return after.cost
        share = (score - before.score) / (after.score - before.score)
        return before.cost + share * (after.cost - before.cost)
    return None


def measure_aiq(points: list[CurvePoint], low: float, high: float) -> float:
    """Return the curve's mean score between two costs (average improvement in quality, arXiv:2403.12031)."""
    ordered = _undominated(points)
    grid = np.linspace(low, high, 201)
    # Below the cheapest point nothing is on offer but that point; above the dearest one, more money buys nothing more.
    return float(np.interp(grid, [one.cost for one in ordered], [one.score for one in ordered]).mean())


def measure_strong_share(preference: Floats, weak: Floats, strong: Floats) -> StrongShare:
    """Return the metrics of sending the questions that most need it to the strong model first.

    Args:
        preference: (n,), how much better the strong model is expected to be.
        weak, strong: (n,), what the two models got; the mean of strong must be above that of weak.
    """
    order = np.argsort(-preference, kind="stable")
    gains = np.concatenate([[0.0], np.cumsum((strong - weak)[order])]) / len(weak)
    recovered = gains / gains[-1]
    shares = np.linspace(0, 1, len(recovered))
    tenths = np.linspace(0, 1, N_QUANTILES + 1)
    at_tenths = np.interp(tenths, shares, recovered)
    return StrongShare(
        apgr=float(np.trapezoid(at_tenths, tenths)),
        cpt50=float(shares[np.argmax(recovered >= 0.5)]),
        cpt80=float(shares[np.argmax(recovered >= 0.8)]),
    )


def _undominated(points: list[CurvePoint]) -> list[CurvePoint]:
    """Return, by rising cost, the points that no cheaper one equals."""
    kept: list[CurvePoint] = []
    for point in sorted(points, key=lambda one: (one.cost, -one.score)):
        if not kept or point.score > kept[-1].score:
            kept.append(point)
    return kept
