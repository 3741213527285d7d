"""The stages in order: filter -> latency -> select -> Decision; and back: Outcome -> latency."""

import secrets

from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import (
    CandidateView,
    Decision,
    DecisionReason,
    FleetSnapshot,
    Outcome,
    RoutingRequest,
)
from neuroforge.router.filter import Verdict, filter_models, find_explicit
from neuroforge.router.latency import LatencyEstimator
from neuroforge.router.select import AdaptiveLoadBalancer, Weighed

DECISION_ID_BYTES = 8


class LatencyRouter:
    """Router that picks by expected latency under the live queue, in process, without a learner."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is monotonic."""
        self._estimator = LatencyEstimator(clock)
        self._balancer = AdaptiveLoadBalancer()
        self._n_chosen: dict[str, int] = {}
        self._model_by_live_decision: dict[str, str] = {}

    def decide(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        """As Router.decide."""
        if request.policy == "explicit":
            endpoint = find_explicit(request, snapshot)
            verdicts: tuple[Verdict, ...] = (Verdict(endpoint, None),)
            weighed = self._weigh([endpoint], request.max_tokens)
        else:
            verdicts = filter_models(request, snapshot)
            open_endpoints = [verdict.endpoint for verdict in verdicts if verdict.filtered is None]
            weighed = self._weigh(open_endpoints, request.max_tokens)
        chosen = self._balancer.select_optimal(weighed)
        model_id = chosen.endpoint.model_id
        self._n_chosen[model_id] = self._n_chosen.get(model_id, 0) + 1
        return Decision(
            decision_id=secrets.token_hex(DECISION_ID_BYTES),
            request_id=request.request_id,
            model_id=model_id,
            policy=request.policy,
            reason=_reason(request, len(weighed)),
            snapshot_version=snapshot.version,
            candidates=self._views(verdicts, weighed),
        )

    def started(self, decision: Decision) -> None:
        """As Router.started."""
        self._model_by_live_decision[decision.decision_id] = decision.model_id
        self._estimator.started(decision.model_id)

    def finished(self, outcome: Outcome) -> None:
        """As Router.finished. A decision leaves the live queue once, however often its end is told."""
        if self._model_by_live_decision.pop(outcome.decision_id, None) is not None:
            self._estimator.finished(outcome.model_id)
        self._estimator.learn(outcome)

    def _weigh(self, endpoints: list[ModelEndpoint], max_tokens: int | None) -> list[Weighed]:
        latencies_s = self._estimator.expected_latencies_s(endpoints, max_tokens)
        return [
            Weighed(
                endpoint,
                expected_latency_s,
                self._estimator.n_in_flight(endpoint.model_id),
                self._n_chosen.get(endpoint.model_id, 0),
            )
            for endpoint, expected_latency_s in zip(endpoints, latencies_s, strict=True)
        ]

    def _views(self, verdicts: tuple[Verdict, ...], weighed: list[Weighed]) -> tuple[CandidateView, ...]:
        weighed_by_id = {one.endpoint.model_id: one for one in weighed}
        views = []
        for verdict in verdicts:
            model_id = verdict.endpoint.model_id
            one = weighed_by_id.get(model_id)
            if one is None:
                view = CandidateView(
                    model_id=model_id, filtered=verdict.filtered, n_in_flight=self._estimator.n_in_flight(model_id)
                )
            else:
                view = CandidateView(
                    model_id=model_id, expected_latency_s=one.expected_latency_s, n_in_flight=one.n_in_flight
                )
            views.append(view)
        return tuple(views)


def _reason(request: RoutingRequest, n_candidates: int) -> DecisionReason:
    if request.policy == "explicit":
        return "explicit"
    if request.excluded_models:
        return "fallback"
    return "only_candidate" if n_candidates == 1 else "expected_latency"
