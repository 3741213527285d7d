"""filter -> latency -> the fastest: for named models, single candidates, and for all while nothing was learned."""

import secrets
from collections.abc import Sequence

from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.ports import Clock
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
from neuroforge.contracts.rules import Threshold
from neuroforge.errors import EngineUnavailable, RequestError
from neuroforge.router.bounds import apply_bounds, collect_bounds
from neuroforge.router.filter import Verdict, filter_models, find_explicit
from neuroforge.router.latency import LatencyEstimator
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.rules import RulesView
from neuroforge.router.select import AdaptiveLoadBalancer, Weighed

DECISION_ID_BYTES = 8
_UNBOUND = Threshold()


class LatencyRouter:
    """Router that picks by expected latency under the live queue, in process, without a learner."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is monotonic."""
        self.estimator = LatencyEstimator(clock)
        self._balancer = AdaptiveLoadBalancer()
        self._n_chosen: dict[str, int] = {}
        self._model_by_live_decision: dict[str, str] = {}

    def decide(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        """As Router.decide."""
        if request.policy == "explicit":
            verdicts: tuple[Verdict, ...] = (Verdict(find_explicit(request, snapshot), None),)
        else:
            verdicts = filter_models(request, snapshot)
        return self.decide_among(request, snapshot, verdicts, None)

    def decide_among(
        self,
        request: RoutingRequest,
        snapshot: FleetSnapshot,
        verdicts: tuple[Verdict, ...],
        rules: RulesView | None,
        reason: DecisionReason = "expected_latency",
    ) -> Decision:
        """Pick the fastest of the models that passed; `reason` is told where there was a choice.

        Of the rules those hold that are for every task: the task is not known here.
        Raises:
            RequestError: No candidate keeps the request's bounds, or the rules exclude all.
            EngineUnavailable: The request demands a quality, and nothing is known of any yet.
        """
        if request.policy != "explicit":
            if rules is not None:
                verdicts = _follow_rules(verdicts, rules)
            verdicts = self._keep_bounds(request, verdicts, rules)
        weighed = self._weigh([one.endpoint for one in verdicts if one.filtered is None], request.max_tokens)
        pinned = None if rules is None or request.policy == "explicit" else rules.pin(None)
        if len(weighed) > 1 and not request.excluded_models and pinned in [one.endpoint.model_id for one in weighed]:
            model_id, reason = str(pinned), "pinned"
        else:
            model_id = self._balancer.select_fastest(weighed).endpoint.model_id
        self._n_chosen[model_id] = self._n_chosen.get(model_id, 0) + 1
        return Decision(
            decision_id=new_decision_id(),
            request_id=request.request_id,
            model_id=model_id,
            policy=request.policy,
            reason=_reason(request, len(weighed), reason),
            snapshot_version=snapshot.version,
            candidates=self._views(verdicts, weighed),
            rules_version=0 if rules is None else rules.rules.version,
        )

    def started(self, decision: Decision) -> None:
        """As Router.started."""
        self._model_by_live_decision[decision.decision_id] = decision.model_id
        self.estimator.started(decision.model_id)

    def finished(self, outcome: Outcome) -> None:
        """As Router.finished. A decision leaves the live queue once, however often its end is told."""
        if self._model_by_live_decision.pop(outcome.decision_id, None) is not None:
            self.estimator.finished(outcome.model_id)
        self.estimator.learn(outcome)

    def _keep_bounds(
        self, request: RoutingRequest, verdicts: tuple[Verdict, ...], rules: RulesView | None
    ) -> tuple[Verdict, ...]:
        bounds = collect_bounds(request.route, _UNBOUND if rules is None else rules.threshold(None))
        if not bounds:
            return verdicts
        if any(one.reason == "min_quality" and not one.is_rule for one in bounds):
            raise EngineUnavailable(
                "min_quality cannot be judged yet: the router has no predictions; try again or leave it out",
                param="neuroforge.route.min_quality",
                retry_after_s=1.0,
            )
        bounds = tuple(one for one in bounds if one.reason != "min_quality")
        open_ones = [one.endpoint for one in verdicts if one.filtered is None]
        reasons = apply_bounds(bounds, self._guess(request, open_ones))
        return _refuse(verdicts, {one.model_id: why for one, why in zip(open_ones, reasons, strict=True)})

    def _guess(self, request: RoutingRequest, endpoints: Sequence[ModelEndpoint]) -> list[Prediction]:
        """Speed and cost alone: of quality anything may be true."""
        usual = OutputLengths().of_task("chat")
        n_tokens = usual if request.max_tokens is None else min(usual, request.max_tokens)
        return [
            Prediction(
                model_id=endpoint.model_id,
                quality=0.5,
                quality_low=0.0,
                quality_high=1.0,
                quality_std=0.5,
                n_output_tokens=n_tokens,
                ttft_s=speed.ttft_s,
                s_per_token=speed.s_per_token,
                latency_s=speed.latency_s(n_tokens),
                cost_usd=endpoint.price.cost_usd(request.n_prompt_tokens_estimate, round(n_tokens)),
            )
            for endpoint, speed in zip(endpoints, self.estimator.expected_speeds(endpoints), strict=True)
        ]

    def _weigh(self, endpoints: list[ModelEndpoint], max_tokens: int | None) -> list[Weighed]:
        latencies_s = self.estimator.expected_latencies_s(endpoints, max_tokens)
        return [
            Weighed(
                endpoint,
                expected_latency_s,
                self.estimator.n_in_flight(endpoint.model_id),
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
                    model_id=model_id, filtered=verdict.filtered, n_in_flight=self.estimator.n_in_flight(model_id)
                )
            else:
                view = CandidateView(
                    model_id=model_id, expected_latency_s=one.expected_latency_s, n_in_flight=one.n_in_flight
                )
            views.append(view)
        return tuple(views)


def new_decision_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(DECISION_ID_BYTES)


def has_bounds(request: RoutingRequest) -> bool:
    """Whether the request brings a bound of its own."""
    route = request.route
    return route.max_latency_s is not None or route.max_cost_usd is not None or route.min_quality is not None


def _follow_rules(verdicts: tuple[Verdict, ...], rules: RulesView) -> tuple[Verdict, ...]:
    out = rules.excluded(None)
    if out:
        verdicts = _refuse(verdicts, dict.fromkeys(out, "excluded_by_rule"))
        if all(one.filtered is not None for one in verdicts):
            raise RequestError(
                f"the routing rules (version {rules.rules.version}) exclude every model that could answer; "
                "name the model to use it all the same",
                param="model",
            )
    return verdicts


def _refuse(verdicts: tuple[Verdict, ...], reasons: dict[str, FilterReason | None]) -> tuple[Verdict, ...]:
    """A verdict that stands already stays."""
    return tuple(
        Verdict(one.endpoint, reasons.get(one.endpoint.model_id) if one.filtered is None else one.filtered)
        for one in verdicts
    )


def _reason(request: RoutingRequest, n_candidates: int, chosen: DecisionReason) -> DecisionReason:
    if request.policy == "explicit":
        return "explicit"
    if request.excluded_models:
        return "fallback"
    return "only_candidate" if n_candidates == 1 else chosen
