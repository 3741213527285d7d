"""decide -> wait for the load -> call -> on failure before a token: the same model again, for `auto` the next one."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import TypeVar

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.contracts.ports import Clock, EngineClient, FleetView, Router, RulesStore
from neuroforge.contracts.routing import Chunk, Completed, Decided, Decision, RoutingRequest, StreamEvent, Waiting
from neuroforge.contracts.rules import Insight, RulesEntry
from neuroforge.errors import ConflictError, EngineOverloaded, EngineUnavailable, NeuroForgeError, StreamInterrupted
from neuroforge.orchestrator.limits import Budget, OrchestratorLimits, Sleep
from neuroforge.orchestrator.loading import ready_endpoint, wait_until_ready
from neuroforge.orchestrator.outcome import OutcomeReporter, OutcomeSink

T = TypeVar("T")
DEADLINE_SLACK_S = 0.05


class NeuroForgeOrchestrator:
    """Orchestrator for one model a request."""

    def __init__(
        self,
        router: Router,
        fleet_view: FleetView,
        engine_client: EngineClient,
        clock: Clock,
        *,
        limits: OrchestratorLimits | None = None,
        sleep: Sleep = asyncio.sleep,
        rng: random.Random | None = None,
        on_outcome: OutcomeSink | None = None,
        rules: RulesStore | None = None,
    ) -> None:
        """`clock` is monotonic; `on_outcome` must return at once and never raise; without `rules` none can change."""
        self._router = router
        self._fleet = fleet_view
        self._engine = engine_client
        self._clock = clock
        self._limits = limits or OrchestratorLimits()
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._reporter = OutcomeReporter(router, fleet_view, clock, on_outcome)
        self._rules = rules

    async def complete(self, routing: RoutingRequest, request: EngineRequest) -> Completed:
        """As Orchestrator.complete."""
        budget = self._budget(request.deadline_s)

        async def once(decision: Decision) -> Completed:
            with self._reporter.track(decision) as record:

                async def call(endpoint: ModelEndpoint) -> JsonObject:
                    record.call_starts(endpoint.price)
                    return await self._engine.complete(endpoint, _within_deadline(request, budget))

                body = await self._answer(decision, budget, call)
                record.take_answer(body)
                return Completed(decision=decision, body=body)

        return await self._with_fallback(routing, budget, once)

    async def stream(self, routing: RoutingRequest, request: EngineRequest) -> AsyncGenerator[StreamEvent, None]:
        """As Orchestrator.stream.

        Decided comes right before the first Waiting or Chunk, so that a failure before it is still an ordinary error;
        it comes again if the model changes while the client waits.
        """
        budget = self._budget(request.deadline_s)
        decision = self._router.decide(routing, self._fleet.snapshot)
        told: Decision | None = None
        while True:
            try:
                async with aclosing(self._stream_once(decision, request, budget)) as events:
                    async for event in events:
                        if told is not decision:
                            told = decision
                            yield Decided(decision=decision)
                        yield event
            except (EngineUnavailable, EngineOverloaded) as error:
                routing, decision = self._next_choice(routing, decision, error, budget)
            else:
                return

    async def count_tokens(self, routing: RoutingRequest, prompt: PromptText) -> TokenCount:
        """As Orchestrator.count_tokens."""
        return await self._side_call(routing, lambda endpoint: self._engine.count_tokens(endpoint, prompt))

    async def label_logprobs(self, routing: RoutingRequest, request: LabelRequest) -> LabelLogprobs:
        """As Orchestrator.label_logprobs."""
        return await self._side_call(routing, lambda endpoint: self._engine.label_logprobs(endpoint, request))

    async def update_routing_rules(self, insights: tuple[Insight, ...], shadow: bool = False) -> RulesEntry:
        """As TaskExecutor.update_routing_rules.

        Raises:
            ConflictError: This server keeps no rules.
        """
        if self._rules is None:
            raise ConflictError("this server keeps no routing rules: its learner is switched off")
        model_ids = tuple(model.model_id for model in self._fleet.snapshot.models)
        return await self._rules.update_rules(insights, model_ids, shadow)

    async def _stream_once(
        self, decision: Decision, request: EngineRequest, budget: Budget
    ) -> AsyncGenerator[Waiting | Chunk, None]:
        """One decision's events; same-model retries happen in here, until the first chunk."""
        model_id = decision.model_id
        with self._reporter.track(decision) as record:
            while True:
                async with aclosing(wait_until_ready(self._fleet, model_id, budget)) as waits:
                    async for waiting in waits:
                        yield waiting
                endpoint = ready_endpoint(self._fleet, model_id)
                if endpoint is None:
                    continue
                record.call_starts(endpoint.price)
                try:
                    async with aclosing(self._engine.stream(endpoint, _within_deadline(request, budget))) as chunks:
                        async for body in chunks:
                            record.take_chunk(body)
                            yield Chunk(body=body)
                except (EngineUnavailable, EngineOverloaded) as error:
                    if record.ttft_s is not None:
                        raise StreamInterrupted(error.message, model_id=model_id) from error
                    await self._before_retry(decision, endpoint, error, budget)
                else:
                    return
                if (waited := budget.waiting(model_id)) is not None:
                    yield waited

    async def _side_call(self, routing: RoutingRequest, call: Callable[[ModelEndpoint], Coroutine[None, None, T]]) -> T:
        """Counts as use of the model, but teaches the router nothing: such calls generate no tokens."""
        budget = self._budget(self._limits.load_timeout_s + self._limits.call_timeout_s)

        async def once(decision: Decision) -> T:
            self._fleet.started(decision.model_id)
            try:
                return await self._answer(decision, budget, call)
            finally:
                self._fleet.finished(decision.model_id)

        return await self._with_fallback(routing, budget, once)

    async def _with_fallback(
        self, routing: RoutingRequest, budget: Budget, once: Callable[[Decision], Coroutine[None, None, T]]
    ) -> T:
        decision = self._router.decide(routing, self._fleet.snapshot)
        while True:
            try:
                return await once(decision)
            except (EngineUnavailable, EngineOverloaded) as error:
                routing, decision = self._next_choice(routing, decision, error, budget)

    async def _answer(
        self, decision: Decision, budget: Budget, call: Callable[[ModelEndpoint], Coroutine[None, None, T]]
    ) -> T:
        """Call one model, again while it did not answer and that makes sense."""
        while True:
            endpoint = ready_endpoint(self._fleet, decision.model_id)
            if endpoint is None:
                async for _ in wait_until_ready(self._fleet, decision.model_id, budget):
                    pass
                continue
            try:
                return await call(endpoint)
            except (EngineUnavailable, EngineOverloaded) as error:
                await self._before_retry(decision, endpoint, error, budget)

    async def _before_retry(
        self,
        decision: Decision,
        endpoint: ModelEndpoint,
        error: EngineUnavailable | EngineOverloaded,
        budget: Budget,
    ) -> None:
        """Return when the same model shall be asked again, else raise the error.

        Not when it is overloaded, when another model that is ready may answer, or for an upstream, of which the client
        has retried already.
        """
        if isinstance(error, EngineOverloaded):
            raise error
        budget.count_failure(error)
        has_other = any(one.filtered is None and one.model_id != decision.model_id for one in decision.candidates)
        if has_other or endpoint.engine == EngineKind.OPENAI_HTTP:
            raise error
        await budget.pause(error)

    def _next_choice(
        self, routing: RoutingRequest, decision: Decision, error: NeuroForgeError, budget: Budget
    ) -> tuple[RoutingRequest, Decision]:
        """For `auto` the best model that was not tried yet; else raise what the last one said."""
        if routing.policy == "explicit" or budget.is_spent:
            raise error
        narrowed = RoutingRequest(**{**dict(routing), "excluded_models": routing.excluded_models | {decision.model_id}})
        try:
            return narrowed, self._router.decide(narrowed, self._fleet.snapshot)
        except NeuroForgeError:
            raise error from None

    def _budget(self, deadline_s: float) -> Budget:
        return Budget(self._limits, self._clock, self._sleep, self._rng, deadline_s)


def _within_deadline(request: EngineRequest, budget: Budget) -> EngineRequest:
    """The request with what is left of its time; unchanged while next to nothing is gone."""
    remaining_s = budget.remaining_s(request.request_id)
    if remaining_s > request.deadline_s - DEADLINE_SLACK_S:
        return request
    return EngineRequest(**{**dict(request), "deadline_s": remaining_s})
