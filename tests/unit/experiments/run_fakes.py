"""Stand-ins for the fleet and its models, for runs in the process itself."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import Usage
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import (
    CellReply,
    CellRequest,
    DatasetSource,
    ExperimentConfig,
    Progress,
)
from neuroforge.contracts.models import ModelStatus
from neuroforge.contracts.scores import Score
from neuroforge.errors import EngineUnavailable, NeuroForgeError
from neuroforge.experiments.ask import AskClocks
from neuroforge.experiments.hear import Heard
from neuroforge.experiments.local import LocalExecutor
from neuroforge.experiments.run import ExperimentRunner, RunnerParts
from tests.fakes import FakeClock
from tests.unit.datasets.fakes import item
from tests.unit.datasets.fakes import status as hosted_status


def items(n: int) -> list[DatasetItem]:
    """So many questions."""
    return [item(number) for number in range(n)]


def config(*models: str, **changes: Any) -> ExperimentConfig:
    """One prompt, greedy, one repeat."""
    values: dict[str, Any] = {"name": "test", "models": models or ("small",), "datasets": (DatasetSource(name="quiz"),)}
    return ExperimentConfig(**{**values, **changes})


def status(model_id: str = "small", **changes: Any) -> ModelStatus:
    """A loaded model with two free slots, whose weights are known."""
    return hosted_status(model_id, **{"capabilities": (), "digest": f"sha-of-{model_id}", **changes})


class FakeHosted:
    """Models that say `Hi`, unless they are broken."""

    def __init__(self, *statuses: ModelStatus, broken: Iterable[str] = ()) -> None:
        self.statuses = {one.id: one for one in statuses or (status(),)}
        self.broken = set(broken)
        self.woken: list[str] = []

    async def models(self) -> tuple[ModelStatus, ...]:
        return tuple(self.statuses.values())

    async def chat(self, messages: str, model: str, **options: Any) -> JsonObject:
        self.woken.append(model)
        if model in self.broken:
            raise EngineUnavailable(f"{model}: cannot be loaded", model_id=model)
        self.statuses[model] = status(model)
        return {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}


Behaviour = Callable[[CellRequest], str]
"""Return the reply or raise."""


class FakeCaller:
    """Answers as told; counts calls by cell and how many were open at once."""

    def __init__(self, behave: Behaviour = lambda _request: "yes") -> None:
        self.behave = behave
        self.calls: Counter[str] = Counter()
        self.asked: list[CellRequest] = []
        self.n_open: Counter[str] = Counter()
        self.most_open: Counter[str] = Counter()
        self.open_together: set[frozenset[str]] = set()

    async def call(self, request: CellRequest) -> Heard:
        model = request.cell.model_id
        self.calls[request.cell.id] += 1
        self.asked.append(request)
        self.n_open[model] += 1
        self.most_open[model] = max(self.most_open[model], self.n_open[model])
        self.open_together.add(frozenset(one for one, n in self.n_open.items() if n))
        try:
            await asyncio.sleep(0)
            reply = self.behave(request)
        finally:
            self.n_open[model] -= 1
        usage = Usage(n_prompt_tokens=10, n_completion_tokens=5)
        return Heard(reply=reply, finish_reason="stop", usage=usage, ttft_s=0.25, latency_s=0.5)

    @property
    def n_calls(self) -> int:
        return sum(self.calls.values())


def failing(error: NeuroForgeError, model_id: str | None = None) -> Behaviour:
    """Fail with this, always or of one model."""

    def behave(request: CellRequest) -> str:
        if model_id in (None, request.cell.model_id):
            raise error
        return "yes"

    return behave


def score(item: DatasetItem, reply: CellReply) -> Score:
    """1 when it is the reference."""
    return Score(value=float(reply.reply in item.references), answer=reply.reply)


class Bench:
    """One experiment's directory and all that a run of it needs."""

    def __init__(self, home: Path, caller: FakeCaller | None = None, hosted: FakeHosted | None = None) -> None:
        self.home = home
        self.caller = caller or FakeCaller()
        self.hosted = hosted or FakeHosted()
        self.clock = FakeClock()
        self.reports: list[Progress] = []
        self.scored: list[str] = []

    def runner(self, name: str = "exp-1", **changes: Any) -> ExperimentRunner:
        def scorer(item: DatasetItem, reply: CellReply) -> Score:
            self.scored.append(reply.cell_id)
            return score(item, reply)

        clocks = AskClocks(self.clock, self.clock, self.clock.sleep)
        values: dict[str, Any] = {
            "hosted": self.hosted,
            "executor": LocalExecutor(self.caller, clocks),
            "scorer": scorer,
            "report": self.reports.append,
            "clock": self.clock,
            "now": self.clock,
            "sleep": self.clock.sleep,
        }
        return ExperimentRunner(self.home / "experiments" / name, RunnerParts(**{**values, **changes}))

    async def run(
        self, asked: ExperimentConfig, given: list[DatasetItem] | None = None, name: str = "exp-1", **changes: Any
    ) -> MatrixResult:
        runner = self.runner(name, **changes)
        try:
            return await runner.execute_matrix(await runner.setup_experiment(asked, given))
        finally:
            runner.close()
