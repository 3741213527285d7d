"""A stand-in for the experiments desk: knows `exp-1`, which is done, and `exp-2`, which runs."""

from dataclasses import dataclass, field

from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import LabelReceipt, LabelSheet, LabelTask, RerunRequest, ResultFile
from neuroforge.contracts.experiments import CostEstimate, DatasetSource, ExperimentConfig, ExperimentStatus, Variant
from neuroforge.contracts.rules import Estimate, Insight
from neuroforge.contracts.runs import FilePiece, FileSize, ItemsPart, ItemsReceipt, RunState
from neuroforge.errors import ConflictError, DataError, ModelNotFound, NeuroForgeError, NotFound

CONFIG = ExperimentConfig(name="study", models=("small", "big"), datasets=(DatasetSource(name="mmlu", n=20),))
COST = CostEstimate(
    n_cells=40, n_cached=4, n_calls=36, n_prompt_tokens=900, n_completion_tokens_max=9000, cost_usd_max=0.5
)
INSIGHT = Insight(
    model_id="small",
    other_model_id="big",
    difference=Estimate(mean=0.1, low=0.05, high=0.15, n=20),
    source="exp-1",
)
ANALYSIS = Analysis(
    experiment_id="exp-1",
    name="study",
    created_at_s=2.0,
    config=CONFIG,
    variants=tuple(Variant(id=one, model_id=one, prompt="plain", decoding="greedy") for one in CONFIG.models),
    n_items=20,
    summaries=(),
    comparisons=(),
    summary=("small is better than big by 10 points.",),
    insights=(INSIGHT,),
)
FILES: dict[str, bytes] = {
    "report.html": b"<html>" + b"x" * (1 << 20) + b"</html>",
    "report.md": b"# Study",
    "outcomes.parquet": b"PAR1",
}


def status(experiment_id: str = "exp-1", state: RunState = "done", **more: object) -> ExperimentStatus:
    values = {"id": experiment_id, "name": "study", "state": state, "config": CONFIG, "created_at_s": 1.0}
    return ExperimentStatus.model_validate({**values, **more})


@dataclass
class FakeExperiments:
    """Remembers what it was told."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    refusal: NeuroForgeError | None = None
    """What starting one comes to."""

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        self.calls.append(("estimate", config))
        return COST

    async def start(self, config: ExperimentConfig, key: str | None = None) -> ExperimentStatus:
        if self.refusal is not None:
            raise self.refusal
        if unknown := next((one for one in config.models if one not in ("small", "big")), None):
            raise ModelNotFound(f"the model {unknown!r} does not exist; known: big, small", model_id=unknown)
        self.calls.append(("start", config) if key is None else ("start", config, key))
        return status("exp-3", "queued", config=config)

    async def status(self, experiment_id: str) -> ExperimentStatus:
        if experiment_id not in ("exp-1", "exp-2"):
            raise NotFound(f"there is no experiment {experiment_id!r}")
        return status(experiment_id, "running" if experiment_id == "exp-2" else "done")

    async def list_experiments(self) -> tuple[ExperimentStatus, ...]:
        return await self.status("exp-2"), await self.status("exp-1")

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        found = await self.status(experiment_id)
        if found.state == "done":
            raise ConflictError(f"experiment {experiment_id!r} cannot be cancelled: it is done")
        self.calls.append(("cancel", experiment_id))
        return found

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        return await self._told("resume", experiment_id)

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        return await self._told("rescore", experiment_id)

    async def rerun(self, experiment_id: str, request: RerunRequest) -> ExperimentStatus:
        return await self._told("rerun", experiment_id, request)

    async def analysis(self, experiment_id: str) -> Analysis:
        if (await self.status(experiment_id)).state != "done":
            raise ConflictError(f"experiment {experiment_id!r} has no analysis.json yet: it is running")
        return ANALYSIS

    async def find_file(self, experiment_id: str, name: ResultFile) -> FileSize:
        await self.analysis(experiment_id)
        return FileSize(n_bytes=len(FILES[name]), version="v1")

    async def read_file(self, experiment_id: str, name: ResultFile, piece: FilePiece) -> bytes:
        assert piece.version == "v1"
        return FILES[name][piece.offset : piece.offset + piece.n_bytes]

    async def compare(self, a: str, b: str) -> ExperimentComparison:
        return ExperimentComparison(a=a, b=b, n_common_items=20, comparisons=(), summary=("nothing changed",))

    async def export_labels(self, experiment_id: str, limit: int) -> tuple[LabelTask, ...]:
        await self.status(experiment_id)
        return (LabelTask(cell_id="c1", item_id="i1", query="2+2?", reply="4"),)[:limit]

    async def import_labels(self, experiment_id: str, sheet: LabelSheet) -> LabelReceipt:
        self.calls.append(("labels", experiment_id, sheet))
        return LabelReceipt(n_labels=len(sheet.labels), n_cells=len(sheet.labels))

    async def put_items(self, part: ItemsPart) -> ItemsReceipt:
        if "{" not in part.lines:
            raise DataError("line 1: invalid JSON", line=1)
        self.calls.append(("items", part))
        return ItemsReceipt(sha256=part.sha256, n_items=1)

    async def find_items(self, sha256: str) -> ItemsReceipt:
        raise NotFound(f"no items with SHA-256 {sha256} were uploaded")

    async def _told(self, what: str, experiment_id: str, *more: object) -> ExperimentStatus:
        found = await self.status(experiment_id)
        self.calls.append((what, experiment_id, *more))
        return found
