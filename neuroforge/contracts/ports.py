"""What rooms need from each other, as Protocols of few methods; implementations come in through `__init__`."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.fleet import ActivityReport, ApplyRequest, FleetDiff
from neuroforge.contracts.models import ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.routing import Completed, Decision, FleetSnapshot, Outcome, RoutingRequest, Spent, StreamEvent
from neuroforge.contracts.rules import Insight, RulesEntry
from neuroforge.contracts.tasks import Task, TaskResult

Clock = Callable[[], float]
"""Seconds; monotonic or Unix time, as the parameter's name says."""


class Router(Protocol):
    """Learned model selection; a decision is a function call on a local snapshot."""

    def decide(self, request: RoutingRequest, snapshot: FleetSnapshot) -> Decision:
        """Raises ModelNotFound, UnsupportedParameter, ContextLengthExceeded, EngineUnavailable: why none can answer."""
        ...

    def started(self, decision: Decision) -> None:
        """A request is on its way to the model: counts into the live queue."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """It ended, well or not: leaves the live queue and teaches the latency estimate."""
        ...


class Orchestrator(Protocol):
    """How one request uses one model: decide, wait for its load, call, fall back (NeuroForgeOrchestrator)."""

    async def complete(self, routing: RoutingRequest, request: EngineRequest) -> Completed:
        """The whole answer. Retries what produced no token: same model, and for `auto` the next best one."""
        ...

    def stream(self, routing: RoutingRequest, request: EngineRequest) -> AsyncGenerator[StreamEvent, None]:
        """Decided, then Waiting while the model loads, then chunks. Closing the iterator frees the engine's slot."""
        ...

    async def count_tokens(self, routing: RoutingRequest, prompt: PromptText) -> TokenCount:
        """By the model that the routing request names."""
        ...

    async def label_logprobs(self, routing: RoutingRequest, request: LabelRequest) -> LabelLogprobs:
        """By the model that the routing request names."""
        ...


class TaskExecutor(Protocol):
    """How a task uses one or several models (NeuroForgeOrchestrator)."""

    async def execute_task(self, task: Task, caller: RoutingRequest, spent: list[Spent] | None = None) -> TaskResult:
        """`caller` carries request id and allowed models; members' requests are made from it.

        `spent` takes what each call has cost, members' own usage included; of a task that fails or is cancelled too.
        """
        ...

    def route(self, routing: RoutingRequest) -> Decision:
        """Decide without executing; nothing counts as begun."""
        ...

    async def update_routing_rules(self, insights: tuple[Insight, ...], shadow: bool = False) -> RulesEntry:
        """As RulesStore.update_rules, for the models of the fleet as it is now."""
        ...


class FleetView(Protocol):
    """A gateway replica's own copy of the fleet, renewed each second in the background."""

    @property
    def snapshot(self) -> FleetSnapshot:
        """The newest copy; free to read."""
        ...

    def started(self, model_id: str) -> None:
        """A request to this model began (counts as use, for keep_alive)."""
        ...

    def finished(self, model_id: str) -> None:
        """It ended."""
        ...

    async def request_load(self, model_id: str) -> None:
        """Ask the fleet controller to load; returns at once; idempotent."""
        ...

    async def wait_for_change(self, timeout_s: float) -> FleetSnapshot:
        """The next copy that differs, or the same one after the timeout."""
        ...


class Fleet(Protocol):
    """The fleet controller, which alone loads and unloads."""

    async def snapshot(self) -> FleetSnapshot:
        """As of now."""
        ...

    async def exchange(self, report: ActivityReport) -> FleetSnapshot:
        """Tell what was used, learn where models are."""
        ...

    async def statuses(self) -> tuple[ModelStatus, ...]:
        """Every desired model."""
        ...

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        """Start loading (idempotent) and return at once; `spec` adds a model that the fleet did not know."""
        ...

    async def unload(self, model_id: str) -> ModelStatus:
        """Start unloading and return at once."""
        ...

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        """Change how many replicas may run."""
        ...

    async def apply(self, request: ApplyRequest) -> FleetDiff:
        """Make the fleet what the request lists; touches only what changed."""
        ...


class ModelRegistry(Protocol):
    """Desired models, kept across restarts."""

    def list_specs(self) -> tuple[ModelSpec, ...]:
        """In order of id."""
        ...

    def put_spec(self, spec: ModelSpec) -> None:
        """Insert or replace."""
        ...

    def remove_spec(self, model_id: str) -> None:
        """Raises ModelNotFound."""
        ...


class Metrics(Protocol):
    """Numbers that matter; the implementation decides where they go."""

    def count(self, name: str, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """Record one value of a histogram."""
        ...

    def set(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """Set a gauge."""
        ...


class MetricsSource(Protocol):
    """The whole cluster's metrics."""

    async def render(self) -> str:
        """Prometheus text format 0.0.4."""
        ...
