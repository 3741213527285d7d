"""Stand-ins for what the gateway works with: an orchestrator that says what it is told, a fleet and a store."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import FastAPI

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, LabelScore, PromptText, TokenCount
from neuroforge.contracts.fleet import ActivityReport, ApplyRequest, FleetDiff, SpecChange
from neuroforge.contracts.keys import (
    ApiKey,
    AuditEvent,
    AuditRecord,
    AuditVerdict,
    AuthSnapshot,
    CreatedKey,
    GatewayReport,
    KeySpec,
    KeyUsage,
)
from neuroforge.contracts.models import EngineKind, ModelEndpoint, ModelSpec, ModelState, ModelStatus, ReplicaRange
from neuroforge.contracts.prompt_serving import PromptSnapshot
from neuroforge.contracts.routing import (
    Chunk,
    Completed,
    Decided,
    Decision,
    FleetSnapshot,
    PromptTag,
    RoutingRequest,
    Spent,
    StreamEvent,
)
from neuroforge.contracts.rules import Insight, RulesEntry
from neuroforge.contracts.tasks import Member, Task, TaskResult
from neuroforge.errors import ModelNotFound, NotFound
from neuroforge.gateway.app import build_app
from neuroforge.gateway.parts import GatewayOptions, GatewayParts
from tests.fakes import FakeMetrics
from tests.unit.gateway.fakes_experiments import FakeExperiments
from tests.unit.gateway.fakes_learning import FakeData, FakeLearner
from tests.unit.gateway.fakes_live_tests import FakeLiveTests
from tests.unit.gateway.fakes_prompt_runs import FakePromptRuns
from tests.unit.gateway.fakes_prompts import FakePrompts
from tests.unit.gateway.fakes_rules import FakeRules, entry

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def decision(model_id: str = "small", prompt: PromptTag | None = None) -> Decision:
    return Decision(
        prompt=prompt,
        decision_id="dec_1",
        request_id="r",
        model_id=model_id,
        policy="explicit",
        reason="explicit",
        snapshot_version=1,
    )


def endpoint(model_id: str, state: ModelState = ModelState.READY, preload: bool = True) -> ModelEndpoint:
    return ModelEndpoint(
        model_id=model_id,
        engine=EngineKind.LLAMACPP,
        base_url=f"http://127.0.0.1:1/models/{model_id}/v1",
        served_name=model_id,
        context_length=2048,
        capabilities=frozenset({"chat", "completion"}),
        state=state,
        preload=preload,
        created_at_s=7,
    )


def delta(content: str, **more: Any) -> Chunk:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None, **more}
    return Chunk(body=chunk_body([choice]))


def chunk_body(choices: list[JsonObject], **more: Any) -> JsonObject:
    return {
        "id": "engine",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "/weights.gguf",
        "choices": choices,
        **more,
    }


LAST = Chunk(body=chunk_body([], usage=USAGE))


def whole(content: str = "hi", **message: Any) -> JsonObject:
    reply = {"role": "assistant", "content": content, **message}
    return {
        "id": "engine",
        "object": "chat.completion",
        "created": 1,
        "model": "/weights.gguf",
        "choices": [{"index": 0, "message": reply, "finish_reason": "stop"}],
        "usage": dict(USAGE),
    }


@dataclass
class FakeOrchestrator:
    """Gives `body`, plays `events` (an exception among them is raised there), or waits for `gate`."""

    body: JsonObject = field(default_factory=whole)
    events: tuple[StreamEvent | Exception, ...] = ()
    error: Exception | None = None
    gate: asyncio.Event | None = None
    spent: tuple[Spent, ...] = ()
    routings: list[RoutingRequest] = field(default_factory=list)
    requests: list[EngineRequest] = field(default_factory=list)
    n_cancelled: int = 0
    n_closed: int = 0

    async def complete(self, routing: RoutingRequest, request: EngineRequest) -> Completed:
        self._note(routing, request)
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return Completed(
            decision=decision(routing.model_id or "small", routing.prompt), body=dict(self.body), spent=self.spent
        )

    async def stream(self, routing: RoutingRequest, request: EngineRequest) -> AsyncGenerator[StreamEvent, None]:
        self._note(routing, request)
        try:
            yield Decided(decision=decision(routing.model_id or "small", routing.prompt), spent=self.spent)
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                yield event
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.n_closed += 1

    async def count_tokens(self, routing: RoutingRequest, prompt: PromptText) -> TokenCount:
        self.routings.append(routing)
        return TokenCount(n_tokens=len(prompt.text or "") or len(prompt.messages or ()), context_length=2048)

    async def label_logprobs(self, routing: RoutingRequest, request: LabelRequest) -> LabelLogprobs:
        self.routings.append(routing)
        scores = tuple(LabelScore(label=one, logprob=-1.0, n_tokens=1) for one in request.labels)
        return LabelLogprobs(scores=scores, n_prompt_tokens=4)

    def _note(self, routing: RoutingRequest, request: EngineRequest) -> None:
        self.routings.append(routing)
        self.requests.append(request)
        if self.error is not None:
            raise self.error


@dataclass
class FakeTasks:
    """Decides for `small`, or for the named model; raises `error`; a task waits for `gate` and gets `result`."""

    error: Exception | None = None
    result: TaskResult | None = None
    spent: tuple[Spent, ...] = ()
    gate: asyncio.Event | None = None
    n_cancelled: int = 0
    routings: list[RoutingRequest] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    callers: list[RoutingRequest] = field(default_factory=list)
    updates: list[tuple[tuple[Insight, ...], bool]] = field(default_factory=list)

    async def execute_task(self, task: Task, caller: RoutingRequest, spent: list[Spent] | None = None) -> TaskResult:
        self.tasks.append(task)
        self.callers.append(caller)
        if spent is not None:
            spent += self.spent
        if self.error is not None:
            raise self.error
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        member = Member(model_id="small", decision_id="dec_1", text="hi")
        return self.result or TaskResult(task_id="t", mode=task.mode, text="hi", winner=0, members=(member,))

    def route(self, routing: RoutingRequest) -> Decision:
        self.routings.append(routing)
        if self.error is not None:
            raise self.error
        return decision(routing.model_id or "small")

    async def update_routing_rules(self, insights: tuple[Insight, ...], shadow: bool = False) -> RulesEntry:
        self.updates.append((insights, shadow))
        return entry("known", "applied")


@dataclass
class FakeFleetView:
    snapshot: FleetSnapshot = field(
        default_factory=lambda: FleetSnapshot(version=1, models=(endpoint("small"), endpoint("big", preload=False)))
    )

    def started(self, model_id: str) -> None: ...

    def finished(self, model_id: str) -> None: ...

    async def request_load(self, model_id: str) -> None: ...

    async def wait_for_change(self, timeout_s: float) -> FleetSnapshot:
        return self.snapshot


@dataclass
class FakeFleet:
    """Knows `small`; remembers what it was told."""

    calls: list[tuple[str, Any]] = field(default_factory=list)

    async def snapshot(self) -> FleetSnapshot:
        return FleetSnapshot(version=1)

    async def exchange(self, report: ActivityReport) -> FleetSnapshot:
        return FleetSnapshot(version=1)

    async def statuses(self) -> tuple[ModelStatus, ...]:
        return (status("small"),)

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        self.calls.append(("load", spec))
        return self._known(model_id, spec)

    async def unload(self, model_id: str) -> ModelStatus:
        self.calls.append(("unload", model_id))
        return self._known(model_id)

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        self.calls.append(("scale", replicas))
        return self._known(model_id)

    async def apply(self, request: ApplyRequest) -> FleetDiff:
        changes = tuple(SpecChange(model_id=one.id, kind="add") for one in request.models)
        return FleetDiff(changes=changes, applied=not request.dry_run)

    def _known(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        if model_id != "small" and spec is None:
            raise ModelNotFound("no such model", known=["small"])
        return status(model_id)


def status(model_id: str) -> ModelStatus:
    return ModelStatus(id=model_id, engine=EngineKind.LLAMACPP, state=ModelState.LOADING)


@dataclass
class FakeState:
    keys: list[ApiKey] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)
    elsewhere: tuple[KeyUsage, ...] = ()
    reports: list[GatewayReport] = field(default_factory=list)
    error: Exception | None = None
    prompts: PromptSnapshot | None = None

    async def exchange(self, report: GatewayReport) -> AuthSnapshot:
        if self.error is not None:
            raise self.error
        self.reports.append(report)
        self.events += report.audit
        is_newest = self.prompts is None or self.prompts.revision == report.prompts_revision
        prompts = None if is_newest else self.prompts
        return AuthSnapshot(keys=tuple(self.keys), usage_elsewhere=self.elsewhere, prompts=prompts)

    async def create_key(self, spec: KeySpec) -> CreatedKey:
        key, secret = make_key(f"k{len(self.keys)}", spec)
        self.keys.append(key)
        return CreatedKey(key=key, secret=secret)

    async def list_keys(self) -> tuple[ApiKey, ...]:
        return tuple(self.keys)

    async def revoke_key(self, key_id: str) -> ApiKey:
        for place, key in enumerate(self.keys):
            if key.id == key_id:
                self.keys[place] = key.model_copy(update={"revoked_at_s": 9.0})
                return self.keys[place]
        raise NotFound("no such key")

    async def tail_audit(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        records = [
            AuditRecord(seq=place + 1, event=event, previous_hash="", hash="h")
            for place, event in enumerate(self.events)
        ]
        return tuple(records[after_seq:][-limit:])

    async def verify_audit(self) -> AuditVerdict:
        return AuditVerdict(n_records=len(self.events), is_intact=True)


def make_key(key_id: str = "k1", spec: KeySpec | None = None, **changes: Any) -> tuple[ApiKey, str]:
    secret = f"nf-{key_id}-secret_of-{key_id}"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    spec = spec or KeySpec(name=key_id)
    return ApiKey(id=key_id, spec=spec, secret_sha256=digest, created_at_s=1.0, **changes), secret


class FakeMetricsSource:
    async def render(self) -> str:
        return "up 1\n"


@dataclass
class FakeClock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Gateway:
    """A gateway with everything behind it, and a tiny ASGI client in front."""

    orchestrator: FakeOrchestrator = field(default_factory=FakeOrchestrator)
    tasks: FakeTasks = field(default_factory=FakeTasks)
    fleet_view: FakeFleetView = field(default_factory=FakeFleetView)
    fleet: FakeFleet = field(default_factory=FakeFleet)
    state: FakeState = field(default_factory=FakeState)
    learner: FakeLearner = field(default_factory=FakeLearner)
    rules: FakeRules | None = field(default_factory=FakeRules)
    live_tests: FakeLiveTests = field(default_factory=FakeLiveTests)
    data: FakeData = field(default_factory=FakeData)
    prompts: FakePrompts | None = field(default_factory=FakePrompts)
    experiments: FakeExperiments | None = field(default_factory=FakeExperiments)
    prompt_runs: FakePromptRuns | None = field(default_factory=FakePromptRuns)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    clock: FakeClock = field(default_factory=FakeClock)
    wall_clock: FakeClock = field(default_factory=lambda: FakeClock(600.0))

    def build(self, **options: Any) -> FastAPI:
        return build_app(self.parts(**options))

    def parts(self, **options: Any) -> GatewayParts:
        chosen = {"replica_id": "g1", "version": "0.0", "exchange_interval_s": 3600.0, "decision_poll_s": 0, **options}
        return GatewayParts(
            options=GatewayOptions(**chosen),
            orchestrator=self.orchestrator,
            tasks=self.tasks,
            fleet_view=self.fleet_view,
            fleet=self.fleet,
            state=self.state,
            learner=self.learner,
            rules=self.rules,
            live_tests=self.live_tests,
            data=self.data,
            prompts=self.prompts,
            experiments=self.experiments,
            prompt_runs=self.prompt_runs,
            metrics=self.metrics,
            metrics_source=FakeMetricsSource(),
            clock=self.clock,
            wall_clock=self.wall_clock,
        )

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator["Client"]:
        """The app within its lifespan, after the first exchange with the store."""
        app = self.build(**options)
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0)
            while not self.state.reports and self.state.error is None:
                await asyncio.sleep(0)
            yield Client(app)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> JsonObject:
        found: JsonObject = self.json()["error"]
        return found

    def events(self) -> list[tuple[str | None, str]]:
        """(event name, data) of each SSE event; comments have the name ':'."""
        found: list[tuple[str | None, str]] = []
        for block in self.body.decode().split("\n\n"):
            if not block:
                continue
            if block.startswith(":"):
                found.append((":", block[1:].strip()))
                continue
            name = None
            for line in block.split("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    found.append((name, line[6:]))
        return found


@dataclass
class Client:
    """Speaks ASGI; `gone` set in the middle of a request is a caller who hangs up."""

    app: Any
    peer: str = "127.0.0.1"
    secret: str | None = None

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.send("GET", path, None, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        return await self.send("POST", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Reply:
        return await self.send("DELETE", path, None, **more)

    async def send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
        gone: asyncio.Event | None = None,
    ) -> Reply:
        payload = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"host": "127.0.0.1:8000", "content-type": "application/json"}
        if self.secret is not None:
            sent["authorization"] = f"Bearer {self.secret}"
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value is not None}
        bare, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": bare,
            "raw_path": bare.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": (self.peer, 5000),
            "server": ("127.0.0.1", 8000),
        }
        messages: list[Any] = []
        is_read = False

        async def receive() -> Any:
            nonlocal is_read
            if not is_read:
                is_read = True
                return {"type": "http.request", "body": payload, "more_body": False}
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        if not messages:
            return Reply(0, {}, b"")
        start = messages[0]
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], found, b"".join(one.get("body", b"") for one in messages[1:]))
