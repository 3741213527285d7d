"""Builders for what the balancer weighs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroforge.contracts.outcomes import LearnerSnapshot
from neuroforge.contracts.routing import Prediction
from neuroforge.contracts.rules import RoutingRules
from neuroforge.router.basis import N_EXAMPLES, N_TASKS, basis_prior
from neuroforge.router.belief import Belief
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.rules import RulesView
from neuroforge.router.select import Candidate
from tests.fakes import endpoint

N_BASIS = 1 + N_TASKS + N_EXAMPLES


def prediction(model_id: str = "a", **changes: Any) -> Prediction:
    """Half good, a second, free."""
    values: dict[str, Any] = {
        "model_id": model_id,
        "quality": 0.5,
        "quality_low": 0.0,
        "quality_high": 1.0,
        "quality_std": 0.0,
        "n_output_tokens": 10.0,
        "ttft_s": 0.5,
        "s_per_token": 0.05,
        "latency_s": 1.0,
        "cost_usd": 0.0,
    }
    return Prediction(**{**values, **changes})


def candidate(model_id: str, prefix_s: float = 0.0, **changes: Any) -> Candidate:
    return Candidate(endpoint(model_id), prediction(model_id, **changes), prefix_s, 0)


def belief(rules: RoutingRules | None = None, best_single: str | None = None, version: int = 1) -> Belief:
    """No fit, nothing learned; rules that neither explore nor hold out unless they are given."""
    quiet = RoutingRules(explore=False, holdout_share=0.0)
    return Belief(version, RulesView(rules or quiet), best_single=best_single)


def posterior(scores: Sequence[tuple[str, float]] = ()) -> OnlinePosterior:
    """Of each model 200 outcomes with this residual, whatever the request."""
    made = OnlinePosterior(basis_prior(None, N_BASIS).variances)
    constant = np.zeros(N_BASIS)
    constant[0] = 1.0
    for model_id, residual in scores:
        for number in range(200):
            made.update(model_id, constant, residual, at_s=float(number))
    return made


def learner_snapshot(**changes: Any) -> LearnerSnapshot:
    values: dict[str, Any] = {
        "version": 1,
        "online": posterior().to_bytes(),
        "rules": RoutingRules(explore=False, holdout_share=0.0),
    }
    return LearnerSnapshot(**{**values, **changes})
