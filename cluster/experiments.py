"""ray.remote(PlainClass) of the desk: experiments and optimisations of prompts in one queue, results, uploads."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import ray

from cluster.detached import get_or_create
from cluster.experiment_launcher import RayExperimentLauncher
from cluster.names import EXPERIMENTS_ACTOR, NAMESPACE
from cluster.prompt_launcher import RayPromptLauncher
from cluster.run_launcher import process_name
from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import LabelReceipt, LabelSheet, LabelTask, RerunRequest, ResultFile
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_runs import PromptRunFile, PromptRunStatus
from neuroforge.contracts.runs import FilePiece, FileSize, ItemsPart, ItemsReceipt
from neuroforge.settings import Settings

if TYPE_CHECKING:
    from neuroforge.experiments.desk import ExperimentQueue
    from neuroforge.prompts.desk import PromptQueue

logger = logging.getLogger(__name__)
_CALLS = 64
"""Of the desk at once; a check, a comparison and an upload take a while."""
TEND_EVERY_S = 3600.0


class ExperimentsActor:
    """The desk of one instance: runs of both kinds, and uploads."""

    def __init__(self, settings: Settings) -> None:
        # Here and not above: the gateway makes this actor, and needs none of it.
        from neuroforge.experiments.desk import ExperimentQueue
        from neuroforge.experiments.results import ExperimentReader
        from neuroforge.experiments.shelf import Shelf
        from neuroforge.prompts.desk import PromptQueue, PromptRunShelf
        from neuroforge.runs.turns import Turns

        turns = Turns(settings.experiments.max_running)
        shelf = Shelf(settings.storage.home / "experiments")
        self._shelf = shelf
        self._reader = ExperimentReader(shelf)
        self._launcher = RayExperimentLauncher(settings)
        self._queue = ExperimentQueue(shelf, self._launcher, time.time, turns)
        self._prompt_shelf = PromptRunShelf(settings.storage.home / "prompts")
        self._prompts = PromptQueue(self._prompt_shelf, RayPromptLauncher(settings), shelf.uploads, time.time, turns)
        self._starting, self._uploading = asyncio.Lock(), asyncio.Lock()
        self._is_restored = False
        self._tending: asyncio.Task[None] | None = None

    async def _restored(self) -> None:
        """Return once the queues watch what still runs. Each call comes by here, for the actor may be new."""
        async with self._starting:
            if not self._is_restored:
                await self._queue.restore()
                await self._prompts.restore()
                self._is_restored = True
                self._tending = asyncio.create_task(self._tend())

    async def _started(self) -> "ExperimentQueue":
        await self._restored()
        return self._queue

    async def _prompts_started(self) -> "PromptQueue":
        await self._restored()
        return self._prompts

    async def _tend(self) -> None:
        """Drop uploads that nobody uses, now and again every while."""
        while True:
            try:
                async with self._uploading:
                    in_use = self._prompt_shelf.uploads_in_use()
                    await asyncio.to_thread(self._shelf.drop_unused_uploads, time.time(), in_use)
            except OSError as error:
                logger.warning("unused uploads were not dropped", extra={"reason": error.strerror})
            await asyncio.sleep(TEND_EVERY_S)

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        """See ExperimentRuns."""
        return await (await self._started()).estimate(config)

    async def start(self, config: ExperimentConfig, key: str) -> ExperimentStatus:
        """See ExperimentRuns; the same key again starts no other."""
        return await (await self._started()).start(config, key)

    async def status(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).status(experiment_id)

    async def list_experiments(self) -> tuple[ExperimentStatus, ...]:
        """See ExperimentRuns."""
        return await (await self._started()).list_runs()

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).cancel(experiment_id)

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).resume(experiment_id)

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return await (await self._started()).rescore(experiment_id)

    async def rerun(self, experiment_id: str, request: RerunRequest, key: str) -> ExperimentStatus:
        """As start."""
        return await (await self._started()).rerun(experiment_id, request, key)

    async def analysis(self, experiment_id: str) -> Analysis:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._reader.analysis, experiment_id)

    async def find_file(self, experiment_id: str, name: ResultFile) -> FileSize:
        """See ExperimentReports."""
        return self._shelf.find_file(experiment_id, name)

    async def read_file(self, experiment_id: str, name: ResultFile, piece: FilePiece) -> bytes:
        """See ExperimentReports."""
        return await asyncio.to_thread(self._shelf.read_file, experiment_id, name, piece)

    async def compare(self, a: str, b: str) -> ExperimentComparison:
        """See ExperimentReports."""
        return await self._launcher.compare(*self._reader.runs(a, b))

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

    async def plan_prompt(self, config: OptimizeConfig) -> OptimizePlan:
        """See PromptRunDesk.plan."""
        return await (await self._prompts_started()).plan(config)

    async def start_prompt(self, config: OptimizeConfig, key: str) -> PromptRunStatus:
        """See PromptRunDesk.start; the same key again starts no other."""
        return await (await self._prompts_started()).start(config, key)

    async def prompt_status(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk.status."""
        return await (await self._prompts_started()).status(run_id)

    async def list_prompts(self) -> tuple[PromptRunStatus, ...]:
        """See PromptRunDesk.list_runs."""
        return await (await self._prompts_started()).list_runs()

    async def cancel_prompt(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk.cancel."""
        return await (await self._prompts_started()).cancel(run_id)

    async def resume_prompt(self, run_id: str) -> PromptRunStatus:
        """See PromptRunDesk.resume."""
        return await (await self._prompts_started()).resume(run_id)

    async def prompt_result(self, run_id: str) -> OptimizationResult:
        """See PromptRunDesk.result."""
        return await asyncio.to_thread(self._prompt_shelf.result, run_id)

    async def find_prompt_file(self, run_id: str, name: PromptRunFile) -> FileSize:
        """See PromptRunDesk.find_file."""
        return self._prompt_shelf.find_file(run_id, name)

    async def read_prompt_file(self, run_id: str, name: PromptRunFile, piece: FilePiece) -> bytes:
        """See PromptRunDesk.read_file."""
        return await asyncio.to_thread(self._prompt_shelf.read_file, run_id, name, piece)


_RemoteExperimentsActor = ray.remote(ExperimentsActor)


def get_experiments_actor(settings: Settings) -> Any:
    """Return the handle, creating the actor on the head node if it is not there."""
    return get_or_create(_RemoteExperimentsActor, EXPERIMENTS_ACTOR, settings, max_concurrency=_CALLS)


def end_experiments(settings: Settings) -> None:
    """End the desk and what runs. Its journals are whole, and the next desk finds it interrupted."""
    from neuroforge.experiments.shelf import Shelf
    from neuroforge.prompts.desk import PromptRunShelf
    from neuroforge.runs.shelf import UNFINISHED

    home = settings.storage.home
    statuses = (*Shelf(home / "experiments").everything(), *PromptRunShelf(home / "prompts").everything())
    unfinished = [process_name(one.id) for one in statuses if one.state in UNFINISHED]
    for name in (EXPERIMENTS_ACTOR, *unfinished):
        try:
            ray.kill(ray.get_actor(name, namespace=NAMESPACE))
        except ValueError:
            continue
