"""ray.remote(PlainClass) of the experiments desk, and the processes that it starts: one for each experiment."""

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError

from cluster.detached import get_or_create
from cluster.experiment_work import Work, check_experiment
from cluster.handles import call
from cluster.names import EXPERIMENTS_ACTOR, NAMESPACE, ON_HEAD
from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import (
    FileSize,
    ItemsPart,
    ItemsReceipt,
    LabelReceipt,
    LabelSheet,
    LabelTask,
    RerunRequest,
    ResultFile,
    RunAction,
    RunEnd,
)
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.experiments.desk import ExperimentQueue, RunningExperiment
from neuroforge.experiments.results import ExperimentReader
from neuroforge.experiments.shelf import Shelf
from neuroforge.settings import Settings

logger = logging.getLogger(__name__)
CHECK_TIMEOUT_S = 600.0
"""A dataset may have to be fetched first."""
_NICENESS = 10
"""Experiments wait where they compete with answering."""
_WORK_THREADS = 4
_CALLS = 64
"""Of the desk at once; a check, a comparison and an upload take a while."""
NO_CPUS: dict[str, Any] = {"num_cpus": 0, "resources": ON_HEAD}
"""An experiment mostly waits for models; a whole CPU might never come free beside a loaded fleet."""


class WorkActor:
    """One experiment in a process of its own; calls run in threads, so that a cancel is heard."""

    def __init__(self, settings: Settings, status: ExperimentStatus, action: RunAction) -> None:
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
        return await call(reference, "the check of an experiment", CHECK_TIMEOUT_S)

    async def launch(self, status: ExperimentStatus, action: RunAction) -> RunningExperiment:
        """See Launcher."""
        actor = _RemoteWork.options(
            name=_name(status.id),
            namespace=NAMESPACE,
            lifetime="detached",
            max_restarts=0,
            max_concurrency=_WORK_THREADS,
            **NO_CPUS,
        ).remote(self._settings, status, action)
        return _Process(actor)

    async def find(self, experiment_id: str) -> RunningExperiment | None:
        """See Launcher."""
        try:
            return _Process(ray.get_actor(_name(experiment_id), namespace=NAMESPACE))
        except (ValueError, RayActorError):
            return None


class ExperimentsActor:
    """The desk: queue, results and uploads of one instance."""

    def __init__(self, settings: Settings) -> None:
        shelf = Shelf(settings.storage.home / "experiments")
        shelf.uploads.drop_abandoned()
        self._shelf = shelf
        self._reader = ExperimentReader(shelf)
        launcher = RayLauncher(settings)
        self._queue = ExperimentQueue(shelf, launcher, time.time, settings.experiments.max_running)
        self._starting, self._uploading = asyncio.Lock(), asyncio.Lock()
        self._is_restored = False

    async def _started(self) -> ExperimentQueue:
        """Return the queue, once it watches what still runs. Each call comes by here, for the actor may be new."""
        async with self._starting:
            if not self._is_restored:
                await self._queue.restore()
                self._is_restored = True
        return self._queue

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        """See ExperimentRuns."""
        return await (await self._started()).estimate(config)

    async def start(self, config: ExperimentConfig) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).start(config)

    async def status(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).status(experiment_id)

    async def list_experiments(self) -> tuple[ExperimentStatus, ...]:
        """See ExperimentRuns."""
        return await (await self._started()).list_experiments()

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).cancel(experiment_id)

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).resume(experiment_id)

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).rescore(experiment_id)

    async def rerun(self, experiment_id: str, request: RerunRequest) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).rerun(experiment_id, request)

    async def analysis(self, experiment_id: str) -> Analysis:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._reader.analysis, experiment_id)

    async def find_file(self, experiment_id: str, name: ResultFile) -> FileSize:
        """See ExperimentReports."""
        return self._reader.find_file(experiment_id, name)

    async def read_file(self, experiment_id: str, name: ResultFile, offset: int, n_bytes: int) -> bytes:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._reader.read_file, experiment_id, name, offset, n_bytes)

    async def compare(self, a: str, b: str) -> ExperimentComparison:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._reader.compare, a, b)

    async def export_labels(self, experiment_id: str, limit: int) -> tuple[LabelTask, ...]:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._reader.export_labels, experiment_id, limit)

    async def import_labels(self, experiment_id: str, sheet: LabelSheet) -> LabelReceipt:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._reader.import_labels, experiment_id, sheet)

    async def put_items(self, part: ItemsPart) -> ItemsReceipt:
        """See ExperimentItems."""
        async with self._uploading:
            return await asyncio.to_thread(self._shelf.uploads.put, part)

    async def find_items(self, sha256: str) -> ItemsReceipt:
        """See ExperimentItems."""
        return await asyncio.to_thread(self._shelf.uploads.find, sha256)


_RemoteExperimentsActor = ray.remote(ExperimentsActor)
_RemoteWork = ray.remote(WorkActor)
_remote_check = ray.remote(max_retries=0)(check_experiment)


def get_experiments_actor(settings: Settings) -> Any:
    """Return the handle, creating the actor on the head node if it is not there."""
    return get_or_create(_RemoteExperimentsActor, EXPERIMENTS_ACTOR, settings, max_concurrency=_CALLS)


def end_experiments(settings: Settings) -> None:
    """End the desk and what runs; for a cluster that goes on without this instance."""
    shelf = Shelf(settings.storage.home / "experiments")
    names = [EXPERIMENTS_ACTOR, *(_name(one.id) for one in shelf.everything())]
    for name in names:
        try:
            ray.kill(ray.get_actor(name, namespace=NAMESPACE))
        except ValueError:
            continue


def _name(experiment_id: str) -> str:
    return f"neuroforge-experiment-{experiment_id}"
