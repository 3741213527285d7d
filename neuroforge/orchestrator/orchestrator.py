"""NeuroForgeOrchestrator: each way to use the fleet by its name; the work is in the file of that name."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.ports import Clock, FleetView, Metrics, Router
from neuroforge.contracts.ports_engines import EngineClient
from neuroforge.contracts.ports_learning import RulesStore
from neuroforge.contracts.routing import Completed, Decided, Decision, RoutingRequest, Spent, StreamEvent
from neuroforge.contracts.rules import Insight, RulesEntry
from neuroforge.contracts.tasks import Task, TaskResult
from neuroforge.errors import ConflictError
from neuroforge.orchestrator.adapt import Adaptation
from neuroforge.orchestrator.breaker import Breakers
from neuroforge.orchestrator.hedge import Wait, wait_first
from neuroforge.orchestrator.limits import OrchestratorLimits, Sleep
from neuroforge.orchestrator.outcome import OutcomeReporter, OutcomeSink
from neuroforge.orchestrator.shadows import Shadows
from neuroforge.orchestrator.single import SingleExecution
from neuroforge.orchestrator.tasks import TaskExecution


class NeuroForgeOrchestrator:
    """Orchestrator and TaskExecutor of one gateway replica."""

    def __init__(
        self,
        router: Router,
        fleet_view: FleetView,
        engine_client: EngineClient,
        clock: Clock,
        *,
        limits: OrchestratorLimits | None = None,
        sleep: Sleep = asyncio.sleep,
        wait: Wait = wait_first,
        rng: random.Random | None = None,
        on_outcome: OutcomeSink | None = None,
        rules: RulesStore | None = None,
        metrics: Metrics | None = None,
        keeps_text: bool = False,
    ) -> None:
        """Wire the parts.

        Args:
            clock: Monotonic; `sleep` and `wait` go by it.
            on_outcome: Must return at once and never raise.
            rules: Without them none can change.
            keeps_text: Whether outcomes carry the answers' text.
        """
        limits = limits or OrchestratorLimits()
        breakers = Breakers(limits.breaker, clock, metrics)
        reporter = OutcomeReporter(router, fleet_view, clock, on_outcome, breakers, keeps_text)
        self._adaptation = Adaptation(router, fleet_view, reporter, breakers, limits, wait, metrics)
        rng = rng or random.Random()  # noqa: S311 - jitter
        self._single = SingleExecution(self._adaptation, engine_client, sleep, rng)
        self._shadows = Shadows(self._single, metrics)
        self._tasks = TaskExecution(self._single, clock, limits.task_timeout_s)
        self._engine = engine_client
        self._fleet = fleet_view
        self._limits = limits
        self._rules = rules

    async def complete(self, routing: RoutingRequest, request: EngineRequest) -> Completed:
        """As Orchestrator.complete."""
        completed = await self._single.complete(routing, request)
        self._shadows.begin(completed.decision, routing, request)
        return completed

    async def stream(self, routing: RoutingRequest, request: EngineRequest) -> AsyncGenerator[StreamEvent, None]:
        """As Orchestrator.stream."""
        decision: Decision | None = None
        async with aclosing(self._single.stream(routing, request)) as events:
            async for event in events:
                if isinstance(event, Decided):
                    decision = event.decision
                yield event
        if decision is not None:
            self._shadows.begin(decision, routing, request)

    async def count_tokens(self, routing: RoutingRequest, prompt: PromptText) -> TokenCount:
        """As Orchestrator.count_tokens."""
        deadline_s = self._limits.load_timeout_s + self._limits.call_timeout_s
        return await self._single.side_call(
            routing, deadline_s, lambda endpoint: self._engine.count_tokens(endpoint, prompt)
        )

    async def label_logprobs(self, routing: RoutingRequest, request: LabelRequest) -> LabelLogprobs:
        """As Orchestrator.label_logprobs."""
        return await self._single.side_call(
            routing, request.deadline_s, lambda endpoint: self._engine.label_logprobs(endpoint, request)
        )

    async def execute_task(self, task: Task, caller: RoutingRequest, spent: list[Spent] | None = None) -> TaskResult:
        """As TaskExecutor.execute_task."""
        return await self._tasks.run(task, caller, spent)

    async def execute_parallel(self, prompts: Sequence[str], caller: RoutingRequest) -> TaskResult:
        """One answer for each prompt, in order: the members of the result."""
        return await self._tasks.run(Task(mode="parallel", prompts=tuple(prompts)), caller)

    async def execute_creative(self, prompt: str, caller: RoutingRequest, n: int = 3) -> TaskResult:
        """The best of `n` candidates of different models, by predicted quality."""
        return await self._tasks.run(Task(mode="creative", messages=_asked(prompt), n=n), caller)

    async def execute_consensus(self, prompt: str, caller: RoutingRequest, n: int = 3) -> TaskResult:
        """What most of `n` votes say, weighted by predicted quality; the result's `agreement` is their share."""
        return await self._tasks.run(Task(mode="consensus", messages=_asked(prompt), n=n), caller)

    def route(self, routing: RoutingRequest) -> Decision:
        """As TaskExecutor.route."""
        return self._adaptation.decide(routing)

    async def update_routing_rules(self, insights: tuple[Insight, ...], shadow: bool = False) -> RulesEntry:
        """As TaskExecutor.update_routing_rules.

        Raises:
            ConflictError: This server keeps no rules.
        """
        if self._rules is None:
            raise ConflictError("this server keeps no routing rules: its learner is switched off")
        model_ids = tuple(model.model_id for model in self._fleet.snapshot.models)
        return await self._rules.update_rules(insights, model_ids, shadow)


def _asked(prompt: str) -> tuple[JsonObject, ...]:
    return ({"role": "user", "content": prompt},)
