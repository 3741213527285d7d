"""The gateway over the model of this process, on a loopback port: what other programs' optimisers talk to.

Gateway application, orchestrator and engine are those that are served; what is behind them on Ray (fleet, store) is the
tests' own, so that no cluster takes time from what is measured. The one model answers under several names: calls and
tokens are counted here, by name, and not as the callers say.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import orjson
import uvicorn

from neuroforge.contracts.answers import usage_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats, ModelEndpoint
from neuroforge.engines.llamacpp import LlamaCppEngine
from neuroforge.gateway.app import build_app
from neuroforge.orchestrator.orchestrator import NeuroForgeOrchestrator
from neuroforge.router.fastest import LatencyRouter
from tests.benchmarks.prompt_model import CONTEXT_LENGTH
from tests.fakes import FakeFleetView, endpoint
from tests.unit.gateway.fakes import Gateway

TASK, PROPOSER, TEST = "field-task", "field-proposer", "field-test"
"""Names of the same model: calls on items, calls for new wordings, and those of the final test."""


@dataclass
class Count:
    """What one name has answered."""

    n_calls: int = 0
    n_prompt_tokens: int = 0


@dataclass
class CountingEngine:
    """`EngineClient` of the engine in this process; every name is the same model."""

    engine: LlamaCppEngine
    counts: dict[str, Count] = field(default_factory=lambda: {name: Count() for name in (TASK, PROPOSER, TEST)})

    async def complete(self, model: ModelEndpoint, request: EngineRequest) -> JsonObject:
        """Count what was answered."""
        body = await self.engine.complete(request.route, {**request.body, "model": model.served_name})
        usage = usage_of(body)
        self.counts[model.model_id].n_calls += 1
        self.counts[model.model_id].n_prompt_tokens += 0 if usage is None else usage.n_prompt_tokens
        return body

    async def stream(self, model: ModelEndpoint, request: EngineRequest) -> AsyncGenerator[JsonObject, None]:
        """Not counted: none of the optimisers streams."""
        async for data in self.engine.stream(request.route, {**request.body, "model": model.served_name}):
            if data.startswith(b"{"):
                yield orjson.loads(data)

    async def count_tokens(self, model: ModelEndpoint, prompt: PromptText) -> TokenCount:
        """As the engine."""
        return await self.engine.count_tokens(prompt)

    async def label_logprobs(self, model: ModelEndpoint, request: LabelRequest) -> LabelLogprobs:
        """As the engine."""
        return await self.engine.label_logprobs(request)

    async def stats(self, model: ModelEndpoint) -> EngineStats:
        """As the engine."""
        return await self.engine.stats()


@dataclass
class Served:
    """Where the gateway answers, and what was asked of it."""

    openai_url: str
    engine: CountingEngine

    def reset(self) -> None:
        """Count from nought: another run begins."""
        for name in self.engine.counts:
            self.engine.counts[name] = Count()


@asynccontextmanager
async def serving_model(engine: LlamaCppEngine) -> AsyncIterator[Served]:
    """Answer on a free port of loopback while the block runs."""
    counting = CountingEngine(engine)
    abilities = {"capabilities": engine.capabilities, "context_length": CONTEXT_LENGTH, "parallel": 1}
    view = FakeFleetView(*(endpoint(name, served_name=name, **abilities) for name in counting.counts))
    orchestrator = NeuroForgeOrchestrator(LatencyRouter(time.monotonic), view, counting, time.monotonic)
    parts = replace(
        Gateway().parts(server_tells_request_id=False),
        orchestrator=orchestrator,
        tasks=orchestrator,
        fleet_view=view,
        clock=time.monotonic,
        wall_clock=time.time,
    )
    server = uvicorn.Server(uvicorn.Config(build_app(parts), port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        if running.done():
            await running
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}/v1", counting)
    finally:
        server.should_exit = True
        await running
