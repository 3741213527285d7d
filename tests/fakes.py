"""Stand-ins for what is behind a Protocol: no Ray, no network, no waiting. Builders give valid messages by default."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, LabelScore, PromptText, TokenCount
from neuroforge.contracts.fleet import ActivityReport, ApplyRequest, FleetDiff
from neuroforge.contracts.models import (
    EngineKind,
    EngineStats,
    ModelEndpoint,
    ModelSpec,
    ModelState,
    ModelStatus,
    ReplicaRange,
)
from neuroforge.contracts.routing import FleetSnapshot, RoutingRequest
from neuroforge.errors import ModelNotFound


class FakeClock:
    """Time that only moves when told; `sleep` moves it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s
        self.sleeps_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


def endpoint(model_id: str = "small", **changes: Any) -> ModelEndpoint:
    """A ready llama.cpp model that chats."""
    values: dict[str, Any] = {
        "model_id": model_id,
        "engine": EngineKind.LLAMACPP,
        "base_url": f"http://127.0.0.1:8000/models/{model_id}/v1",
        "served_name": model_id,
        "context_length": 4096,
        "capabilities": frozenset({"chat", "completion", "seed", "stop"}),
        "state": ModelState.READY,
        "parallel": 4,
        "n_replicas": 1,
    }
    return ModelEndpoint(**{**values, **changes})


def changed(model: ModelEndpoint, **changes: Any) -> ModelEndpoint:
    """A copy with other values, validated."""
    return ModelEndpoint(**{**dict(model), **changes})


def snapshot(*models: ModelEndpoint, version: int = 1) -> FleetSnapshot:
    return FleetSnapshot(version=version, models=models)


def routing_request(model_id: str | None = None, **changes: Any) -> RoutingRequest:
    """Explicit when a model is named, else `auto`."""
    policy = "auto" if model_id is None else "explicit"
    values: dict[str, Any] = {"request_id": "req-1", "policy": policy, "model_id": model_id}
    return RoutingRequest(**{**values, **changes})


def engine_request(**changes: Any) -> EngineRequest:
    """A short chat."""
    body = {"messages": [{"role": "user", "content": "Say hello to the world, please."}]}
    values: dict[str, Any] = {"request_id": "req-1", "route": "chat/completions", "body": body, "deadline_s": 30.0}
    return EngineRequest(**{**values, **changes})


def chat_answer(content: str = "Hello.", n_tokens: int = 2) -> JsonObject:
    """OpenAI's whole answer."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": n_tokens, "total_tokens": 5 + n_tokens},
    }


def chat_chunks(*words: str) -> list[JsonObject]:
    """OpenAI's stream of an answer: one chunk a word, one with the finish reason, one with usage."""

    def chunk(delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "x", "choices": [choice]}

    usage = {"prompt_tokens": 5, "completion_tokens": len(words), "total_tokens": 5 + len(words)}
    return [
        *(chunk({"role": "assistant", "content": word}) for word in words),
        chunk({}, "stop"),
        {**chunk({}), "choices": [], "usage": usage},
    ]


Step = Exception | JsonObject | Sequence[JsonObject | Exception] | Callable[[], Any]


class FakeEngineClient:
    """EngineClient that plays a script: one step a call, the last one for ever.

    A step is an error to raise, an answer, a list of chunks (with an error where the stream breaks), or a function that
    is called first and returns a step (to change the fleet, move the clock, ...).
    """

    def __init__(self, *script: Step) -> None:
        self.script: list[Step] = list(script) or [chat_answer()]
        self.calls: list[tuple[str, EngineRequest]] = []
        """(model id, request) of each call."""
        self.n_open_streams = 0
        self.token_count = TokenCount(n_tokens=7, context_length=4096)

    async def complete(self, endpoint: ModelEndpoint, request: EngineRequest) -> JsonObject:
        step = self._step(endpoint, request)
        await asyncio.sleep(0)
        if isinstance(step, Exception):
            raise step
        assert isinstance(step, dict), f"{step!r} is no whole answer"
        return step

    async def stream(self, endpoint: ModelEndpoint, request: EngineRequest) -> AsyncGenerator[JsonObject, None]:
        step = self._step(endpoint, request)
        self.n_open_streams += 1
        try:
            for item in step if isinstance(step, list) else [step]:
                await asyncio.sleep(0)
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.n_open_streams -= 1

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText) -> TokenCount:
        step = self._step(endpoint, engine_request())
        if isinstance(step, Exception):
            raise step
        return self.token_count

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest) -> LabelLogprobs:
        scores = tuple(LabelScore(label=label, logprob=-1.0, n_tokens=1) for label in request.labels)
        return LabelLogprobs(scores=scores, n_prompt_tokens=7)

    async def stats(self, endpoint: ModelEndpoint) -> EngineStats:
        return EngineStats(slots_total=4, slots_busy=0, queued=0)

    def _step(self, endpoint: ModelEndpoint, request: EngineRequest) -> Any:
        self.calls.append((endpoint.model_id, request))
        step: Any = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step() if callable(step) else step


class FakeFleetView:
    """FleetView over models that a test changes; a wait for change plays the next of `changes`, or lets time pass."""

    def __init__(self, *models: ModelEndpoint, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.changes: list[ModelEndpoint] = []
        """What the fleet becomes, one model a wait."""
        self.on_load: Callable[[str], None] | None = None
        self.loads: list[str] = []
        self.in_flight: dict[str, int] = {}
        self._snapshot = snapshot(*models)

    @property
    def snapshot(self) -> FleetSnapshot:
        return self._snapshot

    def put(self, model: ModelEndpoint) -> None:
        """Replace one model."""
        others = [one for one in self._snapshot.models if one.model_id != model.model_id]
        self._snapshot = snapshot(*others, model, version=self._snapshot.version + 1)

    def started(self, model_id: str) -> None:
        self.in_flight[model_id] = self.in_flight.get(model_id, 0) + 1

    def finished(self, model_id: str) -> None:
        self.in_flight[model_id] -= 1

    async def request_load(self, model_id: str) -> None:
        self.loads.append(model_id)
        if self.on_load is not None:
            self.on_load(model_id)

    async def wait_for_change(self, timeout_s: float) -> FleetSnapshot:
        await asyncio.sleep(0)
        if self.changes:
            self.put(self.changes.pop(0))
        else:
            self.clock.advance(timeout_s)
        return self._snapshot


class FakeFleet:
    """Fleet whose models are what a test puts there; `load` makes one `loading`, `failure` makes every call fail."""

    def __init__(self, *models: ModelEndpoint) -> None:
        self.models = {model.model_id: model for model in models}
        self.version = 1
        self.reports: list[ActivityReport] = []
        self.failure: Exception | None = None

    def put(self, model: ModelEndpoint) -> None:
        self.models[model.model_id] = model
        self.version += 1

    async def snapshot(self) -> FleetSnapshot:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return snapshot(*self.models.values(), version=self.version)

    async def exchange(self, report: ActivityReport) -> FleetSnapshot:
        answer = await self.snapshot()
        self.reports.append(report)
        return answer

    async def statuses(self) -> tuple[ModelStatus, ...]:
        return tuple(self._status(model_id) for model_id in self.models)

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        return self._become(model_id, ModelState.LOADING)

    async def unload(self, model_id: str) -> ModelStatus:
        return self._become(model_id, ModelState.UNLOADED)

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        return self._status(model_id)

    async def apply(self, request: ApplyRequest) -> FleetDiff:
        return FleetDiff(applied=not request.dry_run)

    def _become(self, model_id: str, state: ModelState) -> ModelStatus:
        if self.failure is not None:
            raise self.failure
        self._status(model_id)
        self.put(changed(self.models[model_id], state=state))
        return self._status(model_id)

    def _status(self, model_id: str) -> ModelStatus:
        model = self.models.get(model_id)
        if model is None:
            raise ModelNotFound(f"the model {model_id!r} does not exist", model_id=model_id, known=list(self.models))
        return ModelStatus(id=model_id, engine=model.engine, state=model.state, n_replicas=model.n_replicas)


@dataclass
class FakeMetrics:
    counts: dict[str, float] = field(default_factory=dict)
    observed: list[tuple[str, float, dict[str, str]]] = field(default_factory=list)
    told: list[tuple[str, float, dict[str, str]]] = field(default_factory=list)

    def count(self, name: str, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
        self.counts[name] = self.counts.get(name, 0.0) + value
        self.told.append((name, value, dict(tags or {})))

    def observe(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        self.observed.append((name, value, dict(tags or {})))

    def set(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None: ...
