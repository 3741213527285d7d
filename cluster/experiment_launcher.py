"""Where experiments run: a detached actor for each, and tasks for what takes a while. Imports little by itself.

The desk and the gateway import this module, the first for its life, the second to be able to make the desk; only the
processes that it starts need the libraries behind an experiment.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError

from cluster.handles import call
from cluster.names import NAMESPACE, ON_HEAD
from neuroforge.contracts.analysis import ExperimentComparison
from neuroforge.contracts.experiment_desk import RunAction, RunEnd
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.errors import EngineUnavailable
from neuroforge.settings import Settings

if TYPE_CHECKING:
    from neuroforge.experiments.desk import RunningExperiment

SLOW_TIMEOUT_S = 600.0
"""A dataset may have to be fetched first."""
_NICENESS = 10
"""Experiments wait where they compete with answering."""
_WORK_THREADS = 4
_NAME_TRIES, _NAME_WAIT_S = 60, 0.25
NO_CPUS: dict[str, Any] = {"num_cpus": 0, "resources": ON_HEAD}
"""An experiment mostly waits for models; a whole CPU might never come free beside a loaded fleet."""


class WorkActor:
    """One experiment in a process of its own; calls run in threads, so that a cancel is heard."""

    def __init__(self, settings: Settings, status: ExperimentStatus, action: RunAction) -> None:
        from cluster.experiment_work import Work

        os.nice(_NICENESS)
        self._work = Work(settings, status, action)

    def run(self) -> RunEnd:
        """Work to the end, however it is; asked twice, the second waits for the same end."""
        return self._work.run()

    def cancel(self) -> None:
        """Let no further call start."""
        self._work.cancel()


class _Process:
    """RunningExperiment over a work actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._end = actor.run.remote()

    async def ended(self) -> RunEnd:
        """See RunningExperiment. There is no limit: an experiment may take days."""
        return await call(self._end, "the experiment's process", None)

    async def cancel(self) -> None:
        """See RunningExperiment."""
        await call(self._actor.cancel.remote(), "the experiment's process")

    async def close(self) -> None:
        """See RunningExperiment."""
        ray.kill(self._actor)


class RayLauncher:
    """Launcher whose processes outlive the desk's own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def check(self, config: ExperimentConfig, directory: Path) -> CostEstimate:
        """See Launcher."""
        reference = _remote_check.options(**NO_CPUS).remote(self._settings, config, directory)
        return await call(reference, "the check of an experiment", SLOW_TIMEOUT_S)

    async def compare(self, first: Path, second: Path) -> ExperimentComparison:
        """See ExperimentReports; of two directories."""
        reference = _remote_compare.options(**NO_CPUS).remote(first, second)
        return await call(reference, "the comparison of two experiments", SLOW_TIMEOUT_S)

    async def launch(self, status: ExperimentStatus, action: RunAction) -> "RunningExperiment":
        """See Launcher."""
        named = _RemoteWork.options(
            name=process_name(status.id),
            namespace=NAMESPACE,
            lifetime="detached",
            max_restarts=0,
            max_concurrency=_WORK_THREADS,
            **NO_CPUS,
        )
        for _ in range(_NAME_TRIES):
            try:
                return _Process(named.remote(self._settings, status, action))
            except ValueError:  # the process before it is still being taken down, and holds the name
                await asyncio.sleep(_NAME_WAIT_S)
        raise EngineUnavailable(f"the process of experiment {status.id} before this one does not end; try again")

    async def find(self, experiment_id: str) -> "RunningExperiment | None":
        """See Launcher."""
        try:
            return _Process(ray.get_actor(process_name(experiment_id), namespace=NAMESPACE))
        except (ValueError, RayActorError):
            return None


def process_name(experiment_id: str) -> str:
    """Return the name under which an experiment's process is found."""
    return f"neuroforge-experiment-{experiment_id}"


def _check(settings: Settings, config: ExperimentConfig, directory: Path) -> CostEstimate:
    from cluster.experiment_work import check_experiment

    return check_experiment(settings, config, directory)


def _compare(first: Path, second: Path) -> ExperimentComparison:
    from neuroforge.experiments.compare_runs import compare_runs

    return compare_runs(first, second)


_RemoteWork = ray.remote(WorkActor)
_remote_check = ray.remote(max_retries=0)(_check)
_remote_compare = ray.remote(max_retries=0)(_compare)
