"""Predictions and a policy -> utility terms, all in units of quality. The weights' reasons: docs/decisions/098."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from neuroforge.contracts.routing import Policy, Prediction, UtilityTerms, UtilityWeights


class PolicyWeights(NamedTuple):
    """What a policy trades against what."""

    quality: float
    cost_share: float
    """What the candidates' mean price is worth; relative, so that it fits any fleet."""
    latency_per_s: float
    target_latency_s: float
    is_time_cost: bool = False
    """Where no candidate has a price, the machine's time is what an answer costs."""


WEIGHTS_BY_POLICY: Mapping[Policy, PolicyWeights] = {
    "auto": PolicyWeights(quality=1.0, cost_share=0.01, latency_per_s=0.01, target_latency_s=2.0),
    "auto:best": PolicyWeights(quality=1.0, cost_share=0.0, latency_per_s=0.0, target_latency_s=0.0),
    "auto:fast": PolicyWeights(quality=1.0, cost_share=0.0, latency_per_s=0.2, target_latency_s=0.0),
    "auto:cheap": PolicyWeights(
        quality=1.0, cost_share=0.05, latency_per_s=0.0, target_latency_s=0.0, is_time_cost=True
    ),
}


def weigh(
    predictions: Sequence[Prediction], prefix_s: Sequence[float], policy: Policy, explicit: UtilityWeights
) -> list[UtilityTerms]:
    """Return each model's utility, in order.

    Args:
        prefix_s: Seconds that each model would spend reading what another one has in its cache.
        explicit: Of the request; each given weight takes the place of the policy's.
    """
    weights = WEIGHTS_BY_POLICY[policy]
    per_quality = weights.quality if explicit.quality is None else explicit.quality
    per_s = weights.latency_per_s if explicit.latency_per_s is None else explicit.latency_per_s
    target_s = weights.target_latency_s if explicit.target_latency_s is None else explicit.target_latency_s
    costs = weigh_costs(predictions, weights, explicit.cost_per_usd)
    terms = []
    for prediction, cost, reading_s in zip(predictions, costs, prefix_s, strict=True):
        quality = per_quality * prediction.quality
        latency = per_s * max(0.0, prediction.latency_s - target_s)
        prefix = per_s * reading_s
        total = quality - cost - latency - prefix
        terms.append(UtilityTerms(quality=quality, cost=cost, latency=latency, prefix=prefix, total=total))
    return terms


def quality_weight(policy: Policy, explicit: UtilityWeights) -> float:
    """Return what a unit of quality counts."""
    return WEIGHTS_BY_POLICY[policy].quality if explicit.quality is None else explicit.quality


def weigh_costs(predictions: Sequence[Prediction], weights: PolicyWeights, per_usd: float | None = None) -> list[float]:
    """Return what each model's cost counts: at the request's own price, else as a share among these candidates."""
    if per_usd is not None:
        return [per_usd * one.cost_usd for one in predictions]
    spent = [one.cost_usd for one in predictions]
    if weights.is_time_cost and not any(spent):
        spent = [one.latency_s for one in predictions]
    mean = sum(spent) / len(spent)
    return [weights.cost_share * one / mean if mean > 0 else 0.0 for one in spent]
