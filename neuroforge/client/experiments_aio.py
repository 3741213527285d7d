"""`AsyncClient.experiments`: as `experiments`, with `await`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuroforge.client import calls_experiments as calls
from neuroforge.client.experiment_outcome import (
    Described,
    ExperimentOutcome,
    OnProgress,
    config_of,
    form_of,
    insights_of,
    uploads_of,
)
from neuroforge.client.runs import AsyncRuns, Watch, check_ended_well, read_table, write
from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import HumanLabel, LabelReceipt, LabelTask, RerunRequest
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.rules import Insight

if TYPE_CHECKING:
    import pyarrow as pa


class AsyncExperiments(AsyncRuns):
    """The async client's part."""

    async def run(
        self, experiment: Described | ExperimentConfig, on_progress: OnProgress | None = None
    ) -> ExperimentOutcome:
        """As the blocking client."""
        started = await self.start(experiment)
        return await self.outcome((await self.wait(started.id, on_progress)).id)

    async def start(self, experiment: Described | ExperimentConfig, key: str | None = None) -> ExperimentStatus:
        """As the blocking client."""
        await self._upload(uploads_of(experiment))
        return await self._sent(calls.start(config_of(experiment), key))

    async def estimate(self, experiment: Described | ExperimentConfig) -> CostEstimate:
        """As the blocking client."""
        await self._upload(uploads_of(experiment))
        return await self._sent(calls.estimate(config_of(experiment)))

    async def wait(
        self, experiment_id: str, on_progress: OnProgress | None = None, timeout_s: float | None = None
    ) -> ExperimentStatus:
        """As the blocking client."""
        watch = Watch(f"experiment {experiment_id}", on_progress, timeout_s)
        return await self._wait(calls.status(experiment_id), watch)

    async def outcome(self, experiment_id: str) -> ExperimentOutcome:
        """As the blocking client."""
        status = check_ended_well(await self.status(experiment_id), "experiment", "neuroforge experiment resume")
        return ExperimentOutcome(status, await self.analysis(experiment_id))

    async def status(self, experiment_id: str) -> ExperimentStatus:
        """As the blocking client."""
        return await self._sent(calls.status(experiment_id))

    async def list(self, limit: int = 100) -> tuple[ExperimentStatus, ...]:
        """As the blocking client."""
        return await self._sent(calls.list_experiments(limit))

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        """As the blocking client."""
        return await self._sent(calls.act(experiment_id, "cancel"))

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        """As the blocking client."""
        return await self._sent(calls.act(experiment_id, "resume"))

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """As the blocking client."""
        return await self._sent(calls.act(experiment_id, "rescore"))

    async def rerun(self, experiment_id: str, name: str | None = None, use_cache: bool = False) -> ExperimentStatus:
        """As the blocking client."""
        return await self._sent(calls.rerun(experiment_id, RerunRequest(name=name, use_cache=use_cache)))

    async def analysis(self, experiment_id: str) -> Analysis:
        """As the blocking client."""
        return await self._sent(calls.analysis(experiment_id))

    async def report(self, experiment_id: str, path: str | Path | None = None) -> str:
        """As the blocking client."""
        return write(await self._sent(calls.report(experiment_id, form_of(path))), path).decode()

    async def cells(self, experiment_id: str, path: str | Path | None = None) -> "pa.Table":
        """As the blocking client."""
        return read_table(write(await self._sent(calls.cells(experiment_id)), path))

    async def outcomes(self, experiment_id: str, path: str | Path) -> None:
        """As the blocking client."""
        write(await self._sent(calls.outcomes(experiment_id)), path)

    async def compare(self, a: str, b: str) -> ExperimentComparison:
        """As the blocking client."""
        return await self._sent(calls.compare(a, b))

    async def labels(self, experiment_id: str, limit: int = 100) -> tuple[LabelTask, ...]:
        """As the blocking client."""
        return await self._sent(calls.export_labels(experiment_id, limit))

    async def add_labels(self, experiment_id: str, labels: Sequence[HumanLabel]) -> LabelReceipt:
        """As the blocking client."""
        return await self._sent(calls.import_labels(experiment_id, labels))

    async def generate_insights(self, results: ExperimentOutcome | Analysis | str) -> tuple[Insight, ...]:
        """As the blocking client."""
        return insights_of(await self.outcome(results) if isinstance(results, str) else results)
