"""decide -> wait for the load -> call -> on failure before a token: the same model again, for a policy the next one."""

import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.contracts.ports_engines import EngineClient
from neuroforge.contracts.routing import (
    Chunk,
    Completed,
    Decided,
    Decision,
    RoutingRequest,
    Spent,
    StreamEvent,
    Waiting,
)
from neuroforge.errors import EngineOverloaded, EngineUnavailable, StreamInterrupted
from neuroforge.orchestrator import labelled
from neuroforge.orchestrator.adapt import Adaptation, Tries
from neuroforge.orchestrator.limits import Budget, Sleep
from neuroforge.orchestrator.loading import ready_endpoint, wait_until_ready
from neuroforge.orchestrator.outcome import Record

T = TypeVar("T")
Event = Waiting | Chunk
DEADLINE_SLACK_S = 0.05


class Opened(NamedTuple):
    """A stream whose first event is there; None = it had none."""

    events: AsyncGenerator[Event, None]
    first: Event | None


@dataclass(frozen=True)
class SingleExecution:
    """How one request uses one model, and the next best one where that does not answer."""

    adaptation: Adaptation
    engine: EngineClient
    sleep: Sleep
    rng: random.Random

    async def complete(
        self, routing: RoutingRequest, request: EngineRequest, spent: list[Spent] | None = None
    ) -> Completed:
        """As Orchestrator.complete; `spent` takes what the other attempts cost, also of a request that fails."""
        budget = self.budget(request.deadline_s)
        tries = Tries(self.adaptation, routing, request, budget)

        async def begin(record: Record) -> JsonObject:
            with self.adaptation.reporter.track(record):

                async def call(endpoint: ModelEndpoint) -> JsonObject:
                    record.call_starts(endpoint)
                    return await labelled.complete(self.engine, endpoint, _within_deadline(record.request, budget))

                body = await self._answer(record.decision, budget, call)
                record.take_whole(body)
                return body

        record = tries.first()
        winner: Record | None = None
        try:
            while True:
                try:
                    if tries.can_adapt(record):
                        winner, body = await tries.race(record, begin, _forget)
                    else:
                        body, winner = await begin(record), record
                    return Completed(decision=winner.decision, body=body, spent=tries.spent_beside(winner))
                except (EngineUnavailable, EngineOverloaded) as error:
                    record = tries.after_error(record, error)
        finally:
            if spent is not None:
                spent.extend(tries.spent_beside(winner))

    async def stream(self, routing: RoutingRequest, request: EngineRequest) -> AsyncGenerator[StreamEvent, None]:
        """As Orchestrator.stream.

        Decided comes right before the first Waiting or Chunk, so that a failure before it is still an ordinary error;
        it comes again if the model changes while the client waits.
        """
        budget = self.budget(request.deadline_s)
        tries = Tries(self.adaptation, routing, request, budget)
        record = tries.first()

        async def begin(record: Record) -> Opened:
            events = self._stream_once(record, budget)
            return Opened(events, await anext(events, None))

        while True:
            try:
                if tries.can_adapt(record):
                    record, opened = await tries.race(record, begin, _close)
                else:
                    opened = await begin(record)
                async with aclosing(opened.events):
                    if opened.first is not None:
                        yield Decided(decision=record.decision, spent=tries.spent_beside(record))
                        yield opened.first
                    async for event in opened.events:
                        yield event
            except (EngineUnavailable, EngineOverloaded) as error:
                record = tries.after_error(record, error)
            else:
                return

    async def side_call(
        self,
        routing: RoutingRequest,
        deadline_s: float,
        call: Callable[[ModelEndpoint], Coroutine[Any, Any, T]],
    ) -> T:
        """Counts as use of the model, but teaches the router nothing: such calls generate no tokens."""
        budget = self.budget(deadline_s)
        fleet = self.adaptation.fleet
        decision = self.adaptation.router.decide(routing, fleet.snapshot)
        fleet.started(decision.model_id)
        try:
            return await self._answer(decision, budget, call)
        finally:
            fleet.finished(decision.model_id)

    def budget(self, deadline_s: float) -> Budget:
        """What a request may use, from now."""
        reporter = self.adaptation.reporter
        return Budget(self.adaptation.limits, reporter.clock, self.sleep, self.rng, deadline_s)

    async def _stream_once(self, record: Record, budget: Budget) -> AsyncGenerator[Event, None]:
        """One decision's events; same-model retries happen in here, until the first chunk."""
        fleet, model_id = self.adaptation.fleet, record.decision.model_id
        with self.adaptation.reporter.track(record):
            while True:
                async with aclosing(wait_until_ready(fleet, model_id, budget)) as waits:
                    async for waiting in waits:
                        yield waiting
                endpoint = ready_endpoint(fleet, model_id)
                if endpoint is None:
                    continue
                record.call_starts(endpoint)
                try:
                    request = _within_deadline(record.request, budget)
                    async with aclosing(labelled.stream(self.engine, endpoint, request)) as chunks:
                        async for body in chunks:
                            record.take_chunk(body)
                            yield Chunk(body=body)
                except (EngineUnavailable, EngineOverloaded) as error:
                    if record.ttft_s is not None:
                        raise StreamInterrupted(error.message, model_id=model_id) from error
                    await _before_retry(record.decision, endpoint, error, budget)
                else:
                    return
                if (waited := budget.waiting(model_id)) is not None:
                    yield waited

    async def _answer(
        self, decision: Decision, budget: Budget, call: Callable[[ModelEndpoint], Coroutine[Any, Any, T]]
    ) -> T:
        """Call one model, again while it did not answer and that makes sense."""
        fleet = self.adaptation.fleet
        while True:
            endpoint = ready_endpoint(fleet, decision.model_id)
            if endpoint is None:
                async for _ in wait_until_ready(fleet, decision.model_id, budget):
                    pass
                continue
            try:
                return await call(endpoint)
            except (EngineUnavailable, EngineOverloaded) as error:
                await _before_retry(decision, endpoint, error, budget)


async def _before_retry(
    decision: Decision, endpoint: ModelEndpoint, error: EngineUnavailable | EngineOverloaded, budget: Budget
) -> None:
    """Return when the same model shall be asked again, else raise the error.

    Not when it is overloaded, when another model that is ready may answer, for an upstream, of which the client has
    retried already, or for an arm of a live test: what the caller asked for takes over.
    """
    if isinstance(error, EngineOverloaded):
        raise error
    budget.count_failure(error)
    has_other = any(one.filtered is None and one.model_id != decision.model_id for one in decision.candidates)
    if has_other or endpoint.engine == EngineKind.OPENAI_HTTP or decision.reason == "live_test":
        raise error
    await budget.pause(error)


async def _forget(_body: JsonObject) -> None:
    """An answer that came too late."""


async def _close(opened: Opened) -> None:
    await opened.events.aclose()


def _within_deadline(request: EngineRequest, budget: Budget) -> EngineRequest:
    """The request with what is left of its time; unchanged while next to nothing is gone."""
    remaining_s = budget.remaining_s(request.request_id)
    if remaining_s > request.deadline_s - DEADLINE_SLACK_S:
        return request
    return EngineRequest(**{**dict(request), "deadline_s": remaining_s})
