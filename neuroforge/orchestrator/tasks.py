"""Task -> mode -> TaskResult: who answered what, what stands, and what all of it cost."""

from neuroforge.contracts.answers import total_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import RoutingRequest, Spent
from neuroforge.contracts.tasks import Task, TaskResult
from neuroforge.orchestrator.cascade import run_cascade
from neuroforge.orchestrator.consensus import run_consensus
from neuroforge.orchestrator.creative import run_creative
from neuroforge.orchestrator.panel import Order, Panel
from neuroforge.orchestrator.parallel import run_parallel
from neuroforge.orchestrator.single import SingleExecution
from neuroforge.orchestrator.verdict import Verdict, require_answers


class TaskExecution:
    """Runs tasks of every mode."""

    def __init__(self, single: SingleExecution, clock: Clock, default_timeout_s: float) -> None:
        """`clock` is monotonic."""
        self._single = single
        self._clock = clock
        self._default_timeout_s = default_timeout_s

    async def run(self, task: Task, caller: RoutingRequest, spent: list[Spent] | None = None) -> TaskResult:
        """As TaskExecutor.execute_task."""
        panel = Panel(task, caller, self._single, self._clock, self._default_timeout_s)
        try:
            verdict = await self._decide(panel)
        finally:
            if spent is not None:
                spent += panel.spent
        return _result(panel, verdict, self._clock() - panel.started_s)

    async def _decide(self, panel: Panel) -> Verdict:
        match panel.task.mode:
            case "parallel":
                return await run_parallel(panel)
            case "creative":
                return await run_creative(panel, self._single)
            case "consensus":
                return await run_consensus(panel, self._single)
            case "cascade":
                return await run_cascade(panel, self._single)
            case _:
                answer = await panel.ask(Order(panel.messages))
                require_answers([answer])
                return Verdict((answer,), 0)


def _result(panel: Panel, verdict: Verdict, latency_s: float) -> TaskResult:
    members = tuple(one.member for one in verdict.answers)
    winner = None if verdict.winner is None else verdict.answers[verdict.winner]
    body: JsonObject | None = None
    if winner is not None and winner.body is not None:
        body = {**winner.body, "model": winner.member.model_id}
    return TaskResult(
        task_id=panel.caller.request_id,
        mode=panel.task.mode,
        text=None if winner is None else winner.member.text,
        body=body,
        winner=verdict.winner,
        members=members,
        agreement=verdict.agreement,
        escalations=verdict.escalations,
        usage=total_of(one.usage for one in panel.spent),
        cost_usd=sum(one.cost_usd for one in panel.spent),
        latency_s=latency_s,
    )
