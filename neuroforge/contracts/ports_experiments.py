"""As `ports`, for experiments: who runs them, keeps them and asks their cells."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol

from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.experiment_desk import (
    LabelReceipt,
    LabelSheet,
    LabelTask,
    RerunRequest,
    ResultFile,
    TrackedRun,
)
from neuroforge.contracts.experiment_run import Lane
from neuroforge.contracts.experiments import CellReply, CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.models import ModelStatus
from neuroforge.contracts.runs import FilePiece, FileSize, ItemsPart, ItemsReceipt


class ExperimentRuns(Protocol):
    """Experiments of the server, over a handle: started, watched, stopped."""

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        """What it would take; nothing is called. Raises RequestError, DataError, ModelNotFound: it cannot run."""
        ...

    async def start(self, config: ExperimentConfig, key: str | None = None) -> ExperimentStatus:
        """Check as `estimate`, then queue it.

        Args:
            key: From `new_start_key`: the same again begins no other run, and goes on with one that was interrupted.
        Raises:
            ConflictError: That key began an experiment with another configuration.
        """
        ...

    async def status(self, experiment_id: str) -> ExperimentStatus:
        """Raises NotFound."""
        ...

    async def list_experiments(self) -> tuple[ExperimentStatus, ...]:
        """Newest first."""
        ...

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        """Stop it; what is journalled stays. Raises NotFound, ConflictError: it has ended."""
        ...

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        """Go on with the open cells. Raises NotFound, ConflictError: it runs, or every cell is done."""
        ...

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """Score and analyse the kept replies again, without a model call. Raises as `resume`."""
        ...

    async def rerun(self, experiment_id: str, request: RerunRequest) -> ExperimentStatus:
        """Start another with the same configuration and the same items. Raises NotFound."""
        ...


class ExperimentReports(Protocol):
    """What experiments found, over a handle. All raise NotFound; ConflictError: not there yet, says why."""

    async def analysis(self, experiment_id: str) -> Analysis:
        """The numbers behind the report."""
        ...

    async def find_file(self, experiment_id: str, name: ResultFile) -> FileSize:
        """How large it is."""
        ...

    async def read_file(self, experiment_id: str, name: ResultFile, piece: FilePiece) -> bytes:
        """At most so many bytes; empty at the end. Raises ConflictError: it was written anew since `find_file`."""
        ...

    async def compare(self, a: str, b: str) -> ExperimentComparison:
        """Paired on the items that both asked. Raises RequestError: there are none."""
        ...

    async def export_labels(self, experiment_id: str, limit: int) -> tuple[LabelTask, ...]:
        """Replies for people to grade: a seeded sample, those without a label first."""
        ...

    async def import_labels(self, experiment_id: str, sheet: LabelSheet) -> LabelReceipt:
        """All or none. Raises RequestError: a cell is not of this experiment."""
        ...


class ExperimentItems(Protocol):
    """Items that callers upload, over a handle."""

    async def put_items(self, part: ItemsPart) -> ItemsReceipt:
        """Idempotent. Raises DataError: a line is no item (says which), or the text is another than its digest."""
        ...

    async def find_items(self, sha256: str) -> ItemsReceipt:
        """Raises NotFound."""
        ...


class ExperimentsDesk(ExperimentRuns, ExperimentReports, ExperimentItems, Protocol):
    """All of it: what the gateway is given."""


class ExperimentTracker(Protocol):
    """Where the history of experiments is kept for other tools."""

    def track(self, run: TrackedRun) -> str:
        """Record one finished run; return where it is, for people. Blocks. Raises StorageError: it could not."""
        ...


class ObjectStore(Protocol):
    """Files by key, in a directory or in S3. All block and raise StorageError; DiskFull."""

    def put(self, key: str, path: Path) -> str:
        """Copy a file there, whole or not at all; return its address."""
        ...

    def get(self, key: str, path: Path) -> None:
        """Copy it here. Raises NotFound."""
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Keys that begin so, sorted."""
        ...


class CellExecutor(Protocol):
    """Asks the cells of a lane; on Ray Data, or in the process itself."""

    def execute(self, lane: Lane) -> AsyncGenerator[tuple[CellReply, ...], None]:
        """Finished replies, errors among them, each after it stands in a writer's journal.

        Cells that were not asked because a budget ended are missing. Raises DiskFull: a journal cannot be written; what
        it holds is whole. After the iterator was closed no further call starts.
        """
        ...


class HostedModels(Protocol):
    """The part of the client that a run needs before it asks cells."""

    async def models(self) -> tuple[ModelStatus, ...]:
        """Every desired model and what became of it."""
        ...

    async def chat(self, messages: str, model: str, **options: Any) -> JsonObject:
        """OpenAI's whole body; of a model that is not loaded: after it was loaded."""
        ...
