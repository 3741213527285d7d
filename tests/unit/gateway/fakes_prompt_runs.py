"""A stand-in for the desk of prompt runs: knows `opt-1`, which is done, and `opt-2`, which runs."""

from dataclasses import dataclass, field

from neuroforge.contracts.experiments import DatasetSource
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_runs import PromptRunFile, PromptRunStatus
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.runs import FilePiece, FileSize, RunState
from neuroforge.errors import ConflictError, ModelNotFound, NotFound

CONFIG = OptimizeConfig(
    name="sense", prompt="Answer.\n\n{{ query }}", target_model="small", dataset=DatasetSource(name="mmlu", n=50)
)
PLAN = OptimizePlan(
    target_model="small",
    n_items={"search": 25, "selection": 12, "test": 13},
    is_by_labels=True,
    n_calls_max=600,
    n_test_calls=26,
    n_beside_calls_max=12,
)
SEED = PromptProgram(instruction="Answer.")
RESULT = OptimizationResult(
    id="sense-1",
    name="sense",
    original=SEED,
    optimized=SEED,
    text="Answer.",
    is_promoted=False,
    sentence="not shown to be better: the seed stays",
    plan=PLAN,
)
FILES: dict[str, bytes] = {
    "report.html": b"<html>found</html>",
    "candidates.parquet": b"PAR1",
    "evaluations.parquet": b"PAR1",
}


def status(run_id: str = "opt-1", state: RunState = "done", **more: object) -> PromptRunStatus:
    values = {"id": run_id, "name": "sense", "state": state, "config": CONFIG, "created_at_s": 1.0}
    return PromptRunStatus.model_validate({**values, **more})


@dataclass
class FakePromptRuns:
    """Remembers what it was told."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    async def plan(self, config: OptimizeConfig) -> OptimizePlan:
        if config.target_model not in ("small", "big"):
            raise ModelNotFound(f"the server does not host {config.target_model!r}; it hosts big, small")
        self.calls.append(("plan", config))
        return PLAN

    async def start(self, config: OptimizeConfig, key: str | None = None) -> PromptRunStatus:
        await self.plan(config)
        self.calls.append(("start", config) if key is None else ("start", config, key))
        return status("opt-3", "queued", config=config)

    async def status(self, run_id: str) -> PromptRunStatus:
        if run_id not in ("opt-1", "opt-2"):
            raise NotFound(f"there is no prompt run {run_id!r}")
        return status(run_id, "running" if run_id == "opt-2" else "done")

    async def list_runs(self) -> tuple[PromptRunStatus, ...]:
        return await self.status("opt-2"), await self.status("opt-1")

    async def cancel(self, run_id: str) -> PromptRunStatus:
        found = await self.status(run_id)
        if found.state == "done":
            raise ConflictError(f"prompt run {run_id!r} cannot be cancelled: it is done")
        self.calls.append(("cancel", run_id))
        return found

    async def resume(self, run_id: str) -> PromptRunStatus:
        self.calls.append(("resume", run_id))
        return await self.status(run_id)

    async def result(self, run_id: str) -> OptimizationResult:
        if (await self.status(run_id)).state != "done":
            raise ConflictError(f"prompt run {run_id!r} has no result.json yet: it is running")
        return RESULT

    async def find_file(self, run_id: str, name: PromptRunFile) -> FileSize:
        await self.result(run_id)
        return FileSize(n_bytes=len(FILES[name]), version="1")

    async def read_file(self, run_id: str, name: PromptRunFile, piece: FilePiece) -> bytes:
        return FILES[name][piece.offset : piece.offset + piece.n_bytes]
