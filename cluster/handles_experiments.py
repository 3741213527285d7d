"""Protocols over the experiments desk's handle."""

from typing import Any

from cluster.handles import call
from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import LabelReceipt, LabelSheet, LabelTask, RerunRequest, ResultFile
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.runs import FilePiece, FileSize, ItemsPart, ItemsReceipt, new_start_key

WHO = "the experiments desk"
SLOW_TIMEOUT_S = 600.0
"""Datasets are fetched and read before an experiment starts; comparisons read two runs."""


class ExperimentsHandle:
    """ExperimentsDesk, in the desk's actor.

    Ray repeats a call whose answer was lost with a desk that died. By its key the next desk knows a start again.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        """See ExperimentRuns."""
        return await call(self._actor.estimate.remote(config), WHO, SLOW_TIMEOUT_S)

    async def start(self, config: ExperimentConfig, key: str | None = None) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await call(self._actor.start.remote(config, key or new_start_key()), WHO, SLOW_TIMEOUT_S)

    async def status(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await call(self._actor.status.remote(experiment_id), WHO)

    async def list_experiments(self) -> tuple[ExperimentStatus, ...]:
        """See ExperimentRuns."""
        return await call(self._actor.list_experiments.remote(), WHO)

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await call(self._actor.cancel.remote(experiment_id), WHO)

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await call(self._actor.resume.remote(experiment_id), WHO)

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await call(self._actor.rescore.remote(experiment_id), WHO)

    async def rerun(self, experiment_id: str, request: RerunRequest) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await call(self._actor.rerun.remote(experiment_id, request, new_start_key()), WHO, SLOW_TIMEOUT_S)

    async def analysis(self, experiment_id: str) -> Analysis:
        """See ExperimentReports."""
        return await call(self._actor.analysis.remote(experiment_id), WHO)

    async def find_file(self, experiment_id: str, name: ResultFile) -> FileSize:
        """See ExperimentReports."""
        return await call(self._actor.find_file.remote(experiment_id, name), WHO)

    async def read_file(self, experiment_id: str, name: ResultFile, piece: FilePiece) -> bytes:
        """See ExperimentReports."""
        return await call(self._actor.read_file.remote(experiment_id, name, piece), WHO)

    async def compare(self, a: str, b: str) -> ExperimentComparison:
        """See ExperimentReports."""
        return await call(self._actor.compare.remote(a, b), WHO, SLOW_TIMEOUT_S)

    async def export_labels(self, experiment_id: str, limit: int) -> tuple[LabelTask, ...]:
        """See ExperimentReports."""
        return await call(self._actor.export_labels.remote(experiment_id, limit), WHO, SLOW_TIMEOUT_S)

    async def import_labels(self, experiment_id: str, sheet: LabelSheet) -> LabelReceipt:
        """See ExperimentReports."""
        return await call(self._actor.import_labels.remote(experiment_id, sheet), WHO, SLOW_TIMEOUT_S)

    async def put_items(self, part: ItemsPart) -> ItemsReceipt:
        """See ExperimentItems."""
        return await call(self._actor.put_items.remote(part), WHO, SLOW_TIMEOUT_S)

    async def find_items(self, sha256: str) -> ItemsReceipt:
        """See ExperimentItems."""
        return await call(self._actor.find_items.remote(sha256), WHO)
