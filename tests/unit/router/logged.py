"""Builders of logged decisions: what the router weighed, with exact propensities."""

from collections.abc import Mapping
from typing import Any

from neuroforge.contracts.routing import CandidateView, Decision, Prediction, UtilityTerms
from neuroforge.contracts.tasks import TaskProfile, TaskType
from neuroforge.router.scored import ScoredDecision


def profile(task: TaskType = "code") -> TaskProfile:
    return TaskProfile(task_type=task, complexity=0.5, language="en", n_prompt_tokens=10, n_output_tokens=50)


def view(model_id: str, quality: float = 0.5, propensity: float | None = None, **changes: Any) -> CandidateView:
    """A candidate whose utility is its quality; `latency_s`, `cost_usd`, `quality_std`, `n_outcomes` may be given."""
    names = ("latency_s", "cost_usd", "quality_std", "n_outcomes")
    numbers = {"latency_s": 1.0, "cost_usd": 0.0, "quality_std": 0.0, "n_outcomes": 0.0}
    numbers |= {name: changes.pop(name) for name in names if name in changes}
    prediction = Prediction(
        model_id=model_id,
        quality=quality,
        quality_low=0.0,
        quality_high=1.0,
        n_output_tokens=50,
        ttft_s=0.1,
        s_per_token=0.01,
        **numbers,
    )
    utility = UtilityTerms(quality=quality, cost=0.0, latency=0.0, prefix=0.0, total=quality)
    values: dict[str, Any] = {"prediction": prediction, "utility": utility, "propensity": propensity, **changes}
    return CandidateView(model_id=model_id, **values)


def decision(chosen: str, *views: CandidateView, task: TaskType | None = "code", **changes: Any) -> Decision:
    """Drawn if the chosen view has a propensity."""
    propensity = next(one.propensity for one in views if one.model_id == chosen)
    values: dict[str, Any] = {
        "decision_id": "d-1",
        "request_id": "r-1",
        "policy": "auto",
        "reason": "utility",
        "snapshot_version": 1,
        "profile": None if task is None else profile(task),
        "propensity": propensity,
        "exploration": "on",
    }
    return Decision(model_id=chosen, candidates=views, **{**values, **changes})


def drawn(chosen: str, shares: Mapping[str, float], task: TaskType = "code", **qualities: float) -> Decision:
    """Among models with these propensities; quality 0.5 where none is told."""
    views = (view(one, qualities.get(one, 0.5), share) for one, share in shares.items())
    return decision(chosen, *views, task=task)


def scored(chosen: str, score: float | None, shares: Mapping[str, float], **more: Any) -> ScoredDecision:
    return ScoredDecision(drawn(chosen, shares, **more), score)


def plain(chosen: str, score: float | None, reason: str = "utility", at_s: float = 0.0, **more: Any) -> ScoredDecision:
    """A decision where nothing was drawn."""
    return ScoredDecision(decision(chosen, view(chosen), reason=reason, **more), score, at_s)


def armed(chosen: str, score: float | None, reason: str = "utility", at_s: float = 0.0) -> ScoredDecision:
    """A decision that the holdout could take, or took."""
    return plain(chosen, score, reason, at_s, holdout_model="b")
