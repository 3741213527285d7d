"""A standing share of traffic goes to the best single model; comparing its scores with the router's gives the uplift.

Who is in the holdout depends on a hash of seed and request id alone, so both arms see the same mix of requests. Only
scored answers count: the figure is the uplift among requests whose answers get scored, and it is biased where the
chance that somebody scores an answer depends on the arm (people complain more than they praise).
"""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import stdtrit

from neuroforge.contracts.outcomes import Uplift
from neuroforge.router.scored import ScoredDecision

FEWEST_SCORED = 30
"""In each arm; below that an interval from a normal approximation means little."""
SHRINKAGE = 20.0
"""Outcomes at the mean of all answers that each model starts with, so that three lucky answers make no best model."""
SCORE_STD = 0.45
"""Of one score around its mean, where scores lie in 0..1."""
LARGEST_WEIGHT = 100.0
"""Each eligible model has a propensity of 1 % or more."""
UNROUTED = frozenset({"explicit", "fallback"})
"""Reasons of decisions that the router did not make freely: the caller chose, or another model had failed before."""
_HASH_RANGE = 2.0**64


class BestSingle(NamedTuple):
    """The model to choose if all requests had to go to one."""

    model_id: str
    quality: float
    """Mean score, weighted and shrunk."""
    n_effective: float
    """Scored outcomes behind it: (sum of weights)^2 / sum of squared weights."""


def is_holdout(seed: int, request_id: str, share: float) -> bool:
    """Whether this request belongs to the holdout: the same answer in every replica and at every time."""
    if share <= 0.0:
        return False
    digest = hashlib.blake2b(request_id.encode("utf-8", "replace"), digest_size=8, key=b"holdout:%d" % seed).digest()
    return int.from_bytes(digest, "big") < share * _HASH_RANGE


def best_single(scored: Sequence[ScoredDecision]) -> BestSingle | None:
    """The model whose mean score is highest for certain; None while nothing is scored. Ties go to the first id.

    Each mean is shrunk towards that of all answers, and ranked by its lower end of one standard error.

    A model that answered mostly easy requests, because the router sent it those, would look better than it is: each
    answer counts by 1 / propensity where the decision was drawn. Decisions that were not drawn count once.
    """
    scores: dict[str, list[tuple[float, float]]] = {}
    for one in scored:
        if one.score is not None:
            weight = min(1.0 / (one.decision.propensity or 1.0), LARGEST_WEIGHT)
            scores.setdefault(one.decision.model_id, []).append((weight, one.score))
    if not scores:
        return None
    means = {model_id: _weighted(pairs) for model_id, pairs in scores.items()}
    n_all = sum(n for _, n in means.values())
    centre = sum(mean * n for mean, n in means.values()) / n_all
    ranked = [
        BestSingle(model_id, (n * mean + SHRINKAGE * centre) / (n + SHRINKAGE), n)
        for model_id, (mean, n) in sorted(means.items())
    ]
    return max(ranked, key=lambda one: one.quality - SCORE_STD / math.sqrt(one.n_effective + SHRINKAGE))


def measure_uplift(scored: Sequence[ScoredDecision]) -> tuple[Uplift | None, str | None]:
    """The router's mean score less the holdout's with a 95 % interval (Welch), or None and why.

    Requests of the router's arm that had one candidate only, a pin or a fallback count as well: they are what the
    router did with that traffic. Requests whose caller named a model belong to neither arm.
    """
    routed = [one for one in scored if one.score is not None and one.decision.reason not in UNROUTED]
    held = [one.score for one in routed if one.decision.reason == "holdout" and one.score is not None]
    chosen = [one.score for one in routed if one.decision.reason != "holdout" and one.score is not None]
    if min(len(held), len(chosen)) < FEWEST_SCORED:
        return None, (
            f"{len(chosen)} scored answers of the router and {len(held)} of the holdout: "
            f"{FEWEST_SCORED} of each are needed; send feedback, or wait"
        )
    mean, half_width = _welch(chosen, held)
    newest = max((one for one in routed if one.decision.reason == "holdout"), key=lambda one: one.at_s)
    return Uplift(
        mean=mean,
        low=mean - half_width,
        high=mean + half_width,
        n_router=len(chosen),
        n_holdout=len(held),
        holdout_model=newest.decision.model_id,
    ), None


def _weighted(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Mean and effective number."""
    total = sum(weight for weight, _ in pairs)
    squares = sum(weight * weight for weight, _ in pairs)
    return sum(weight * score for weight, score in pairs) / total, total * total / squares


def _welch(left: Sequence[float], right: Sequence[float]) -> tuple[float, float]:
    """Difference of the means and half its 95 % interval. Source: Welch 1947, Satterthwaite's degrees of freedom."""
    (mean_left, part_left), (mean_right, part_right) = _mean_and_square(left), _mean_and_square(right)
    square = part_left + part_right
    if square == 0.0:
        return mean_left - mean_right, 0.0
    freedom = square**2 / (part_left**2 / (len(left) - 1) + part_right**2 / (len(right) - 1))
    return mean_left - mean_right, float(stdtrit(freedom, 0.975)) * math.sqrt(square)


def _mean_and_square(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its squared standard error."""
    n = len(values)
    mean = math.fsum(values) / n
    return mean, math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n
