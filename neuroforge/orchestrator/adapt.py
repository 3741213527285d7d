"""One request's attempts: which model is next after an error, beside a late one, or in its place."""

import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.models import ModelState
from neuroforge.contracts.ports import FleetView, Metrics, Router
from neuroforge.contracts.routing import CandidateView, Decision, RoutingRequest, Spent
from neuroforge.errors import EngineOverloaded, EngineUnavailable, NeuroForgeError
from neuroforge.orchestrator.arms import in_arms_words
from neuroforge.orchestrator.breaker import Breakers
from neuroforge.orchestrator.hedge import MIN_FACTOR, Attempt, Choices, HedgeBudget, LatencyTail, Patience, Race, Wait
from neuroforge.orchestrator.limits import Budget, OrchestratorLimits
from neuroforge.orchestrator.outcome import OutcomeReporter, Record

T = TypeVar("T")
HEDGES = "neuroforge_hedges_total"
"""Counter: second requests begun because the first was late, by model and result (won, lost)."""
FALLBACKS = "neuroforge_fallbacks_total"
"""Counter: attempts that another model took over, by the model that was left and reason (error, overload, slow)."""
FIXED_REASONS = ("explicit", "pinned", "holdout", "live_test")
"""Decisions that lateness does not change: the caller, a rule or a measurement wants this model."""


@dataclass
class Adaptation:
    """What all requests of a gateway replica share."""

    router: Router
    fleet: FleetView
    reporter: OutcomeReporter
    breakers: Breakers
    limits: OrchestratorLimits
    wait: Wait
    metrics: Metrics | None

    def __post_init__(self) -> None:
        """Nothing was seen yet."""
        self.hedges = HedgeBudget(self.limits.hedge_share)
        self.whole_tail = LatencyTail(self.limits.hedge_quantile)
        self.first_tail = LatencyTail(self.limits.hedge_quantile)

    def decide(self, routing: RoutingRequest) -> Decision:
        """As Router.decide, on the newest fleet, without the models whose circuit is open."""
        if routing.policy != "explicit" and (open_models := self.breakers.open_models()):
            routing = RoutingRequest(**{**dict(routing), "open_circuits": open_models})
        return self.router.decide(routing, self.fleet.snapshot)

    def count(self, name: str, **tags: str) -> None:
        """Add one."""
        if self.metrics is not None:
            self.metrics.count(name, 1.0, tags)


class Tries:
    """One request: its models so far, and the next."""

    def __init__(self, shared: Adaptation, routing: RoutingRequest, request: EngineRequest, budget: Budget) -> None:
        self._shared = shared
        self._routing = routing
        self._request = request
        self._budget = budget
        self._is_stream = request.stream
        self._tail = shared.first_tail if request.stream else shared.whole_tail
        self._records: list[Record] = []

    def first(self) -> Record:
        """The router's choice.

        Raises:
            NeuroForgeError: As Router.decide.
        """
        return self._next(self._shared.decide(self._routing))

    def spent_beside(self, winner: Record | None) -> tuple[Spent, ...]:
        """What all attempts but this one have cost."""
        return tuple(spent for one in self._records if one is not winner and (spent := one.spent) is not None)

    def can_adapt(self, record: Record) -> bool:
        """Whether lateness may change the model. A model that must load first is waited for: no ready one fits."""
        decision = record.decision
        if decision.reason in FIXED_REASONS or self._request.route == "embeddings":
            return False
        if sum(one.filtered is None for one in decision.candidates) < 2:
            return False
        endpoint = self._shared.fleet.snapshot.find(decision.model_id)
        return endpoint is not None and endpoint.state == ModelState.READY

    async def race(
        self,
        first: Record,
        begin: Callable[[Record], Coroutine[Any, Any, T]],
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[Record, T]:
        """The first answer and who gave it; learns how late answers are, and counts what was done about it."""
        shared = self._shared
        shared.hedges.earn()
        choices = Choices(begin, self.after_error, self._beside, self._patience, discard)
        race = Race(choices, self._budget.clock, shared.wait)
        try:
            winner, answer = await race.run(first)
        except BaseException:
            self._settle(race.ended, None)
            raise
        self._settle(race.ended, winner)
        return winner.record, answer

    def after_error(self, record: Record, error: EngineUnavailable | EngineOverloaded) -> Record:
        """For a policy the best model that was not tried yet; else raise what the last one said.

        A live test's arm that fails is replaced by what the caller asked for: only the measurement bears the failure.
        """
        is_final = self._routing.policy == "explicit" and record.decision.reason != "live_test"
        if is_final or self._budget.is_spent:
            raise error
        self._exclude(record)
        try:
            decision = self._shared.decide(self._routing)
        except NeuroForgeError:
            raise error from None
        reason = "overload" if isinstance(error, EngineOverloaded) else "error"
        self._shared.count(FALLBACKS, model=record.decision.model_id, reason=reason)
        return self._next(decision)

    def _beside(self, record: Record, is_hedge: bool) -> Record | None:
        """As Choices.beside."""
        shared, budget = self._shared, self._budget
        if budget.is_spent or (is_hedge and not shared.hedges.has_one):
            return None
        self._exclude(record)
        try:
            decision = shared.decide(self._routing)
            remaining_s = budget.remaining_s(self._request.request_id)
        except NeuroForgeError:
            return None
        view = _view_of(decision)
        endpoint = shared.fleet.snapshot.find(decision.model_id)
        if endpoint is None or endpoint.state != ModelState.READY or view.n_in_flight >= endpoint.parallel:
            return None
        if (self._expected_s(view) or 0.0) >= remaining_s:
            return None
        if is_hedge:
            shared.hedges.spend()
        else:
            shared.count(FALLBACKS, model=record.decision.model_id, reason="slow")
        budget.n_begun += 1
        return self._next(decision)

    def _next(self, decision: Decision) -> Record:
        record = self._shared.reporter.record(decision, in_arms_words(self._request, decision.live_test))
        self._records.append(record)
        return record

    def _exclude(self, record: Record) -> None:
        excluded = self._routing.excluded_models | {record.decision.model_id}
        self._routing = RoutingRequest(**{**dict(self._routing), "excluded_models": excluded})

    def _patience(self, record: Record) -> tuple[float | None, Patience]:
        """As Choices.patience."""
        limits, now_s = self._shared.limits, self._budget.clock()
        patience_s = limits.slow_share * self._budget.remaining_s(self._request.request_id)
        expected_s = self._expected_s(_view_of(record.decision))
        if expected_s is None:
            return None, Patience(math.inf, now_s + patience_s)
        patience_s = min(patience_s, max(limits.slow_min_s, limits.slow_factor * expected_s))
        hedge_s = max(limits.hedge_min_delay_s, self._tail.factor * expected_s)
        return expected_s, Patience(now_s + hedge_s, now_s + max(patience_s, MIN_FACTOR * expected_s))

    def _expected_s(self, view: CandidateView) -> float | None:
        """Until the answer, or the first token of a stream; without a prediction of that, the whole answer's time."""
        if view.prediction is None:
            return view.expected_latency_s
        return view.prediction.ttft_s if self._is_stream else view.prediction.latency_s

    def _settle(self, ended: tuple[Attempt[T], ...], winner: Attempt[T] | None) -> None:
        now_s = self._budget.clock()
        for one in (*ended, *([] if winner is None else [winner])):
            if one is winner or one.record.stopped_as is not None:
                self._tail.add(now_s - one.begun_at_s, one.expected_s)
            if one.is_hedge:
                result = "won" if one is winner else "lost"
                self._shared.count(HEDGES, model=one.record.decision.model_id, result=result)


def _view_of(decision: Decision) -> CandidateView:
    found = next((one for one in decision.candidates if one.model_id == decision.model_id), None)
    return found or CandidateView(model_id=decision.model_id)
