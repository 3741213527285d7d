"""A router that predicts what a test says."""

import itertools
from typing import Any

from neuroforge.contracts.routing import (
    CandidateView,
    Decision,
    DecisionReason,
    FilterReason,
    FleetSnapshot,
    Outcome,
    Prediction,
    RoutingRequest,
)
from neuroforge.router.filter import filter_models, find_explicit


def prediction(model_id: str, **changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "model_id": model_id,
        "quality": 0.5,
        "quality_low": 0.0,
        "quality_high": 1.0,
        "quality_std": 0.1,
        "n_output_tokens": 10,
        "ttft_s": 1.0,
        "s_per_token": 0.0,
        "latency_s": 1.0,
        "cost_usd": 0.0,
    }
    return Prediction(**{**values, **changes})


class PredictingRouter:
    """Picks the first prediction whose model passes the real filter; explicit requests get theirs."""

    def __init__(self, *predictions: Prediction, reason: DecisionReason = "utility") -> None:
        self.predictions = {one.model_id: one for one in predictions}
        self.reason = reason
        self.requests: list[RoutingRequest] = []
        self.in_flight: dict[str, int] = {}
        self._number = itertools.count(1)

    def decide(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        self.requests.append(request)
        if request.policy == "explicit":
            filtered: dict[str, FilterReason | None] = {find_explicit(request, snapshot).model_id: None}
        else:
            filtered = {one.endpoint.model_id: one.filtered for one in filter_models(request, snapshot)}
        order = [one for one in self.predictions if one in filtered] + [
            one for one in filtered if one not in self.predictions
        ]
        chosen = next(one for one in order if filtered[one] is None)
        views = tuple(
            CandidateView(
                model_id=one,
                filtered=filtered[one],
                n_in_flight=self.in_flight.get(one, 0),
                prediction=self.predictions.get(one),
            )
            for one in order
        )
        fallback: DecisionReason = "fallback" if request.excluded_models else self.reason
        return Decision(
            decision_id=f"d{next(self._number)}",
            request_id=request.request_id,
            model_id=chosen,
            policy=request.policy,
            reason="explicit" if request.policy == "explicit" else fallback,
            snapshot_version=snapshot.version,
            candidates=views,
        )

    def started(self, decision: Decision) -> None:
        self.in_flight[decision.model_id] = self.in_flight.get(decision.model_id, 0) + 1

    def finished(self, outcome: Outcome) -> None:
        self.in_flight[outcome.model_id] -= 1
