"""A standing share of traffic goes to the best single model; comparing its scores with the router's gives the uplift.

Who is in the holdout depends on a hash of seed and request id alone, so both arms see the same mix of requests. Only
scored answers count: the figure is the uplift among requests whose answers get scored, and it is biased where the
chance that somebody scores an answer depends on the arm (people complain more than they praise). Failures are all
scored; their weight makes up for that.
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
            weight = one.weight * min(1.0 / (one.decision.propensity or 1.0), LARGEST_WEIGHT)
            scores.setdefault(one.decision.model_id, []).append((weight, one.score))
    if not scores:
        return None
    means = {model_id: _mean(pairs) for model_id, pairs in scores.items()}
    n_all = sum(one.n for one in means.values())
    centre = sum(one.mean * one.n for one in means.values()) / n_all
    ranked = [
        BestSingle(model_id, (one.n * one.mean + SHRINKAGE * centre) / (one.n + SHRINKAGE), one.n)
        for model_id, one in sorted(means.items())
    ]
    return max(ranked, key=lambda one: one.quality - SCORE_STD / math.sqrt(one.n_effective + SHRINKAGE))


def measure_uplift(scored: Sequence[ScoredDecision]) -> tuple[Uplift | None, str | None]:
    """The router's mean score less the holdout's with a 95 % interval (Welch), or None and why.

    Both arms hold only requests that the holdout could have taken: not those of a caller who named the model or wants
    no exploration, pinned ones, fallbacks, or those that one model only could answer.
    """
    open_ones = [one for one in scored if one.score is not None and one.decision.holdout_model is not None]
    held = [one for one in open_ones if one.decision.reason == "holdout"]
    chosen = [one for one in open_ones if one.decision.reason != "holdout"]
    n_chosen, n_held = (sum(one.weight for one in arm) for arm in (chosen, held))
    if min(n_chosen, n_held) < FEWEST_SCORED:
        return None, (
            f"{n_chosen:.0f} scored answers of the router and {n_held:.0f} of the holdout: "
            f"{FEWEST_SCORED} of each are needed; send feedback, or wait"
        )
    mean, half_width = _welch(chosen, held)
    return Uplift(
        mean=mean,
        low=mean - half_width,
        high=mean + half_width,
        n_router=len(chosen),
        n_holdout=len(held),
        holdout_model=max(held, key=lambda one: one.at_s).decision.model_id,
    ), None


class _Mean(NamedTuple):
    """A weighted mean."""

    mean: float
    square: float
    """Its squared standard error."""
    n: float
    """(sum of weights)^2 / sum of squared weights."""


def _mean(pairs: Sequence[tuple[float, float]]) -> _Mean:
    """Of (weight, value)."""
    total = math.fsum(weight for weight, _ in pairs)
    n = total**2 / math.fsum(weight * weight for weight, _ in pairs)
    mean = math.fsum(weight * value for weight, value in pairs) / total
    spread = math.fsum((weight * (value - mean)) ** 2 for weight, value in pairs) / total**2
    return _Mean(mean, spread * n / (n - 1) if n > 1 else 0.0, n)


def _welch(left: Sequence[ScoredDecision], right: Sequence[ScoredDecision]) -> tuple[float, float]:
    """Difference of the means and half its 95 % interval. Source: Welch 1947, Satterthwaite's degrees of freedom."""
    one, two = (_mean([(each.weight, each.score or 0.0) for each in arm]) for arm in (left, right))
    square = one.square + two.square
    if square == 0.0:
        return one.mean - two.mean, 0.0
    freedom = square**2 / (one.square**2 / (one.n - 1) + two.square**2 / (two.n - 1))
    return one.mean - two.mean, float(stdtrit(freedom, 0.975)) * math.sqrt(square)
