"""An orchestrator with everything around it in the test's hands."""

import random
from typing import Any

from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.routing import Outcome, StreamEvent
from neuroforge.orchestrator.limits import OrchestratorLimits
from neuroforge.orchestrator.orchestrator import NeuroForgeOrchestrator
from neuroforge.router.pipeline import LatencyRouter
from tests.fakes import FakeClock, FakeEngineClient, FakeFleetView, Step, engine_request, routing_request


class Bench:
    """Real orchestrator and router, fake fleet, engine and clock; waiting takes no time."""

    def __init__(self, *models: ModelEndpoint, script: tuple[Step, ...] = (), **limits: Any) -> None:
        self.clock = FakeClock()
        self.fleet = FakeFleetView(*models, clock=self.clock)
        self.engine = FakeEngineClient(*script)
        self.outcomes: list[Outcome] = []
        self.router = LatencyRouter(self.clock)
        self.orchestrator = NeuroForgeOrchestrator(
            self.router,
            self.fleet,
            self.engine,
            self.clock,
            limits=OrchestratorLimits(**limits),
            sleep=self.clock.sleep,
            rng=random.Random(0),
            on_outcome=self.outcomes.append,
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
