"""An orchestrator with everything around it in the test's hands."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.ports import Router
from neuroforge.contracts.routing import Outcome, StreamEvent
from neuroforge.orchestrator.limits import OrchestratorLimits
from neuroforge.orchestrator.orchestrator import NeuroForgeOrchestrator
from neuroforge.router.fastest import LatencyRouter
from tests.fakes import FakeClock, FakeEngineClient, FakeFleetView, Step, chat_answer, engine_request, routing_request
from tests.unit.gateway.fakes import FakeMetrics


class VirtualTime(FakeClock):
    """Time that jumps to the next sleeper when nobody has anything to do."""

    def __init__(self, now_s: float = 1000.0) -> None:
        super().__init__(now_s)
        self._sleepers: dict[asyncio.Event, float] = {}

    async def pass_s(self, seconds: float) -> None:
        """Return when so much time has passed."""
        woken = asyncio.Event()
        self._sleepers[woken] = self.now_s + seconds
        try:
            await woken.wait()
        finally:
            self._sleepers.pop(woken, None)

    async def wait(self, tasks: Collection["asyncio.Task[Any]"], timeout_s: float | None) -> None:
        """As hedge.Wait."""
        timers = [] if timeout_s is None else [asyncio.create_task(self.pass_s(timeout_s))]
        try:
            await asyncio.wait([*tasks, *timers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for timer in timers:
                timer.cancel()

    async def drive(self, task: "asyncio.Task[Any]") -> None:
        """Let time pass until the task is done."""
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if not task.done():
                assert self._sleepers, "nothing would ever happen"
                next_one = min(self._sleepers, key=lambda one: self._sleepers[one])
                self.now_s = max(self.now_s, self._sleepers.pop(next_one))
                next_one.set()


class TimedEngine(FakeEngineClient):
    """Answers after `s_by_model` virtual seconds (0 where none is given), by name; counts what is cancelled."""

    def __init__(self, time: VirtualTime, s_by_model: dict[str, float]) -> None:
        super().__init__()
        self.time = time
        self.s_by_model = s_by_model
        self.error_by_model: dict[str, Exception] = {}
        self.answer_by_model: dict[str, Callable[[EngineRequest], JsonObject]] = {}
        self.cancelled: list[str] = []
        self.n_running = 0
        self.n_peak = 0

    async def complete(self, endpoint: ModelEndpoint, request: EngineRequest) -> JsonObject:
        return await self._answer(endpoint, request)

    async def stream(self, endpoint: ModelEndpoint, request: EngineRequest) -> AsyncGenerator[JsonObject, None]:
        body = await self._answer(endpoint, request)
        choice = {"index": 0, "delta": body["choices"][0]["message"], "finish_reason": "stop"}
        yield {**body, "choices": [choice]}

    async def _answer(self, endpoint: ModelEndpoint, request: EngineRequest) -> JsonObject:
        model_id = endpoint.model_id
        self.calls.append((model_id, request))
        self.n_running += 1
        self.n_peak = max(self.n_peak, self.n_running)
        try:
            await self.time.pass_s(self.s_by_model.get(model_id, 0.0))
        except asyncio.CancelledError:
            self.cancelled.append(model_id)
            raise
        finally:
            self.n_running -= 1
        if model_id in self.error_by_model:
            raise self.error_by_model[model_id]
        make = self.answer_by_model.get(model_id)
        return chat_answer(f"From {model_id}.") if make is None else make(request)


class Bench:
    """Real orchestrator and router, fake fleet, engine and clock; waiting takes no time."""

    def __init__(self, *models: ModelEndpoint, script: tuple[Step, ...] = (), **limits: Any) -> None:
        self.clock: FakeClock = FakeClock()
        self.engine = FakeEngineClient(*script)
        self._build(models, limits)

    def _build(self, models: tuple[ModelEndpoint, ...], limits: dict[str, Any], **more: Any) -> None:
        self.fleet = FakeFleetView(*models, clock=self.clock)
        self.outcomes: list[Outcome] = []
        self.metrics = FakeMetrics()
        self.router: Router = more.pop("router", None) or LatencyRouter(self.clock)
        self.orchestrator = NeuroForgeOrchestrator(
            self.router,
            self.fleet,
            self.engine,
            self.clock,
            limits=OrchestratorLimits(**limits),
            sleep=self.clock.sleep,
            rng=random.Random(0),
            on_outcome=lambda _decision, outcome: self.outcomes.append(outcome),
            metrics=self.metrics,
            **more,
        )

    @property
    def called(self) -> list[str]:
        """Model of each call to an engine."""
        return [model_id for model_id, _ in self.engine.calls]

    @property
    def statuses(self) -> list[tuple[str, int]]:
        """Model and status of each outcome."""
        return [(outcome.model_id, outcome.status) for outcome in self.outcomes]

    async def collect(self, model_id: str | None = None, **request: Any) -> list[StreamEvent]:
        """All events of a stream."""
        events = self.orchestrator.stream(routing_request(model_id), engine_request(stream=True, **request))
        return [event async for event in events]

    def assert_balanced(self) -> None:
        """Nothing is left in any queue."""
        assert not any(self.fleet.in_flight.values())
        assert self.engine.n_open_streams == 0
        for model in self.fleet.snapshot.models:
            decision = self.router.decide(routing_request(model.model_id), self.fleet.snapshot)
            assert decision.candidates[0].n_in_flight == 0


class TimedBench(Bench):
    """A Bench whose engine takes virtual time."""

    engine: TimedEngine

    def __init__(
        self, *models: ModelEndpoint, takes_s: dict[str, float] | None = None, router: Any = None, **limits: Any
    ) -> None:
        self.time = VirtualTime()
        self.clock = self.time
        self.engine = TimedEngine(self.time, takes_s or {})
        self._build(models, limits, router=router, wait=self.time.wait)

    async def run(self, work: Any) -> Any:
        """Await it while virtual time passes."""
        task = asyncio.ensure_future(work)
        await self.time.drive(task)
        return await task
