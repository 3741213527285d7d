"""Bounds of a request and of the rules -> which predictions keep them; where none does, what would be feasible."""

from collections.abc import Sequence
from typing import NamedTuple

from neuroforge.contracts.routing import FilterReason, Prediction, RouteOptions
from neuroforge.contracts.rules import Threshold
from neuroforge.errors import RequestError

ROUTE_PARAM = "neuroforge.route"


class Bound(NamedTuple):
    """One bound; `limit` is the tightest that anyone gave."""

    name: str
    reason: FilterReason
    limit: float
    is_rule: bool
    """Whether the rules are tighter here than the request."""

    def measure(self, prediction: Prediction) -> float:
        """Return the predicted value that the bound is about."""
        if self.reason == "max_latency":
            return prediction.latency_s
        return prediction.cost_usd if self.reason == "max_cost" else prediction.quality

    def is_kept(self, prediction: Prediction) -> bool:
        """Whether the prediction lies within."""
        value = self.measure(prediction)
        return value >= self.limit if self.reason == "min_quality" else value <= self.limit

    def excess(self, prediction: Prediction) -> float:
        """Return by how much of the limit it is broken, 0 if it is not."""
        return 0.0 if self.is_kept(prediction) else abs(self.measure(prediction) - self.limit) / max(self.limit, 1e-9)


def collect_bounds(route: RouteOptions, threshold: Threshold) -> tuple[Bound, ...]:
    """Return all bounds that hold: of each kind the tighter one."""
    bounds = []
    kinds: tuple[tuple[str, FilterReason, float | None, float | None], ...] = (
        ("max_latency_s", "max_latency", route.max_latency_s, threshold.max_latency_s),
        ("max_cost_usd", "max_cost", route.max_cost_usd, threshold.max_cost_usd),
        ("min_quality", "min_quality", route.min_quality, threshold.min_quality),
    )
    for name, reason, asked, ruled in kinds:
        limits = [one for one in (asked, ruled) if one is not None]
        if limits:
            limit = max(limits) if reason == "min_quality" else min(limits)
            bounds.append(Bound(name, reason, limit, is_rule=asked is None or limit != asked))
    return tuple(bounds)


def apply_bounds(bounds: Sequence[Bound], predictions: Sequence[Prediction]) -> list[FilterReason | None]:
    """Return for each prediction the first bound that it breaks, None if it keeps all.

    Raises:
        RequestError: None keeps all: names the bound, the value asked for and the nearest feasible one; where only
            several together are impossible, all that the nearest model breaks.
    """
    if not bounds:
        return [None] * len(predictions)
    reasons = [next((one.reason for one in bounds if not one.is_kept(made)), None) for made in predictions]
    if None not in reasons:
        raise _impossible(bounds, predictions)
    return reasons


def _impossible(bounds: Sequence[Bound], predictions: Sequence[Prediction]) -> RequestError:
    nearest = min(predictions, key=lambda made: sum(bound.excess(made) for bound in bounds))
    broken = [bound for bound in bounds if not bound.is_kept(nearest)]
    feasible = {bound.name: _round_outwards(bound, nearest) for bound in broken}
    asked = " and ".join(f"{_owner(bound)}{bound.name} {bound.limit:g}" for bound in broken)
    offered = " and ".join(f"{name} {value:g}" for name, value in feasible.items())
    return RequestError(
        f"no model is expected to keep {asked}; the nearest feasible is {offered} ({nearest.model_id})",
        param=f"{ROUTE_PARAM}.{broken[0].name}",
        nearest=feasible,
        model_id=nearest.model_id,
    )


def _owner(bound: Bound) -> str:
    return "the routing rules' " if bound.is_rule else ""


def _round_outwards(bound: Bound, prediction: Prediction) -> float:
    """Three digits that are surely feasible: predictions move a little between two requests."""
    value = bound.measure(prediction)
    if bound.reason == "min_quality":
        return max(0.0, int(value * 100) / 100)
    return float(f"{value * 1.05:.3g}")
