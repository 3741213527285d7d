"""`client.experiments`: upload -> start -> wait -> outcome."""

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
from neuroforge.client.runs import Runs, Watch, check_ended_well, read_table, write
from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import HumanLabel, LabelReceipt, LabelTask, RerunRequest
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.rules import Insight

if TYPE_CHECKING:
    import pyarrow as pa


class Experiments(Runs):
    """The blocking client's part."""

    def run(self, experiment: Described | ExperimentConfig, on_progress: OnProgress | None = None) -> ExperimentOutcome:
        """Start, wait, and return what was found.

        Raises:
            RequestError, DataError, ModelNotFound: It cannot run; nothing was spent.
            ConflictError: It failed, was cancelled or lost its process; says what to do.
        """
        return self.outcome(self.wait(self.start(experiment).id, on_progress).id)

    def start(self, experiment: Described | ExperimentConfig, key: str | None = None) -> ExperimentStatus:
        """Upload what it needs, check it and queue it; returns at once.

        Args:
            key: From `contracts.runs.new_start_key`, kept before the call: whoever starts the same with it again finds
                this run, whatever became of the call, and goes on with it if it was interrupted.
        Raises:
            RequestError, DataError, ModelNotFound: As `run`. ConflictError: The key began another experiment.
        """
        self._upload(uploads_of(experiment))
        return self._sent(calls.start(config_of(experiment), key))

    def estimate(self, experiment: Described | ExperimentConfig) -> CostEstimate:
        """What it would take; calls no model. Raises as `run`."""
        self._upload(uploads_of(experiment))
        return self._sent(calls.estimate(config_of(experiment)))

    def wait(
        self, experiment_id: str, on_progress: OnProgress | None = None, timeout_s: float | None = None
    ) -> ExperimentStatus:
        """Return its status when it has ended, however it did. Raises NotFound; EngineTimeout."""
        watch = Watch(f"experiment {experiment_id}", on_progress, timeout_s)
        return self._wait(calls.status(experiment_id), watch)

    def outcome(self, experiment_id: str) -> ExperimentOutcome:
        """Return what an ended one found. Raises NotFound; ConflictError: it has not ended, or not well."""
        status = check_ended_well(self.status(experiment_id), "experiment", "neuroforge experiment resume")
        return ExperimentOutcome(status, self.analysis(experiment_id))

    def status(self, experiment_id: str) -> ExperimentStatus:
        """Where it stands. Raises NotFound."""
        return self._sent(calls.status(experiment_id))

    def list(self, limit: int = 100) -> tuple[ExperimentStatus, ...]:
        """Newest first."""
        return self._sent(calls.list_experiments(limit))

    def cancel(self, experiment_id: str) -> ExperimentStatus:
        """Stop it; it can be resumed. Raises NotFound, ConflictError: it has ended."""
        return self._sent(calls.act(experiment_id, "cancel"))

    def resume(self, experiment_id: str) -> ExperimentStatus:
        """Ask what is open, cells and judge. Raises NotFound, ConflictError: it runs, or nothing is."""
        return self._sent(calls.act(experiment_id, "resume"))

    def rescore(self, experiment_id: str) -> ExperimentStatus:
        """Score and analyse the kept replies again, without a model call. Raises NotFound, ConflictError: it runs."""
        return self._sent(calls.act(experiment_id, "rescore"))

    def rerun(self, experiment_id: str, name: str | None = None, use_cache: bool = False) -> ExperimentStatus:
        """Start another like it, which asks again. Raises NotFound."""
        return self._sent(calls.rerun(experiment_id, RerunRequest(name=name, use_cache=use_cache)))

    def analysis(self, experiment_id: str) -> Analysis:
        """The numbers behind the report. Raises NotFound, ConflictError: not there yet."""
        return self._sent(calls.analysis(experiment_id))

    def report(self, experiment_id: str, path: str | Path | None = None) -> str:
        """Return the report, written to `path` if one is given: Markdown for .md, else HTML. Raises as `analysis`."""
        return write(self._sent(calls.report(experiment_id, form_of(path))), path).decode()

    def cells(self, experiment_id: str, path: str | Path | None = None) -> "pa.Table":
        """Return one row a cell, written to `path` as Parquet if one is given. Raises as `analysis`."""
        return read_table(write(self._sent(calls.cells(experiment_id)), path))

    def outcomes(self, experiment_id: str, path: str | Path) -> None:
        """Write scores by model and question, which `neuroforge router fit` learns from. Raises as `analysis`."""
        write(self._sent(calls.outcomes(experiment_id)), path)

    def compare(self, a: str, b: str) -> ExperimentComparison:
        """Two experiments, paired on the items that both asked. Raises NotFound, ConflictError, RequestError: none."""
        return self._sent(calls.compare(a, b))

    def labels(self, experiment_id: str, limit: int = 100) -> tuple[LabelTask, ...]:
        """Return replies for people to grade. Raises as `analysis`."""
        return self._sent(calls.export_labels(experiment_id, limit))

    def add_labels(self, experiment_id: str, labels: Sequence[HumanLabel]) -> LabelReceipt:
        """Hand in grades; `rescore` lets them count. Raises RequestError: a cell is not of this experiment."""
        return self._sent(calls.import_labels(experiment_id, labels))

    def generate_insights(self, results: ExperimentOutcome | Analysis | str) -> tuple[Insight, ...]:
        """Return which model is better on which kind of task, for `update_routing_rules`; `results` may be an id."""
        return insights_of(self.outcome(results) if isinstance(results, str) else results)
