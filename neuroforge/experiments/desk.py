"""start -> check -> queue; estimates, and what may be done again with an experiment."""

from pathlib import Path
from typing import Protocol

from neuroforge.contracts.experiment_desk import RerunRequest
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.ports import Clock
from neuroforge.errors import ConflictError
from neuroforge.experiments.shelf import Shelf
from neuroforge.runs.queue import CANCEL_GRACE_S, RunLauncher, RunQueue
from neuroforge.runs.turns import Turns


class ExperimentLauncher(RunLauncher, Protocol):
    """Where experiments run, and are checked."""

    async def check(self, config: ExperimentConfig, directory: Path) -> CostEstimate:
        """As ExperimentRuns.estimate; what was planned stays in the directory, and is what a launch runs."""
        ...


class ExperimentQueue(RunQueue[ExperimentStatus]):
    """What stands behind ExperimentRuns."""

    def __init__(
        self,
        shelf: Shelf,
        launcher: ExperimentLauncher,
        now_s: Clock,
        turns: Turns,
        cancel_grace_s: float = CANCEL_GRACE_S,
    ) -> None:
        super().__init__(shelf, launcher, now_s, turns, cancel_grace_s)
        self._checks = launcher

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        """See ExperimentRuns."""
        with self._shelf.scratch() as directory:
            return await self._checks.check(config, directory)

    async def start(
        self, config: ExperimentConfig, key: str | None = None, rerun_of: str | None = None
    ) -> ExperimentStatus:
        """See ExperimentRuns; `key` as of `_begun`."""

        async def make(directory: Path, now_s: float) -> ExperimentStatus:
            return ExperimentStatus(
                id=directory.name,
                name=config.name,
                state="queued",
                config=config,
                created_at_s=now_s,
                estimate=await self._checks.check(config, directory),
                directory=str(directory),
                rerun_of=rerun_of,
            )

        return await self._begun(make, lambda begun: begun.config == config, key)

    async def resume(self, run_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        status = self._settled(run_id, "resumed")
        progress = status.progress
        if status.state == "done" and progress is not None and progress.n_errors == 0 and progress.stopped_by is None:
            raise ConflictError(f"experiment {run_id!r} is done: every cell has an answer")
        return self._queue(status, "run")

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return self._queue(self._settled(experiment_id, "rescored"), "rescore")

    async def rerun(self, experiment_id: str, request: RerunRequest, key: str | None = None) -> ExperimentStatus:
        """As start."""
        first = self._shelf.find(experiment_id).config
        values = {**dict(first), "name": request.name or first.name, "use_cache": request.use_cache}
        return await self.start(ExperimentConfig(**values), key, rerun_of=experiment_id)
