"""settings + one experiment -> its whole run: the composition root of experiments. Runs in a process of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cluster.actors import get_fleet_actor
from cluster.data import RayDataExecutor
from cluster.experiment_key import gateway_address
from cluster.fleet_models import FleetModels
from cluster.handles import FleetHandle
from cluster.router_parts import load_router_embedder
from cluster.run_work import RunWork
from cluster.tracking import open_tracker
from neuroforge.assets.store import AssetStore
from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import CellReply, CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.runs import RunAction, RunEnd
from neuroforge.contracts.scores import Score
from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.benchmarks import BenchmarkSuite
from neuroforge.experiments.check import check_scorable
from neuroforge.experiments.items import load_items, write_left_out
from neuroforge.experiments.judge import LlmJudge
from neuroforge.experiments.pipeline import ExperimentationPlatform
from neuroforge.experiments.publish import Publisher
from neuroforge.experiments.report import ReportGenerator
from neuroforge.experiments.run import ExperimentRunner, RunnerParts
from neuroforge.experiments.score_cell import score_cell
from neuroforge.experiments.shelf import ITEMS_FOLDER
from neuroforge.runs.uploads import Uploads
from neuroforge.scoring.embedding import Embed
from neuroforge.scoring.sandbox import Sandbox
from neuroforge.settings import Settings
from neuroforge.storage.objects import open_objects


class ExperimentWork(RunWork):
    """One experiment, run or rescored."""

    def __init__(self, settings: Settings, status: ExperimentStatus, action: RunAction) -> None:
        super().__init__(status.id)
        self._settings = settings
        self._status = status
        self._action = action
        self._runner: ExperimentRunner | None = None
        self._judge: LlmJudge | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """See RunWork."""
        self._is_cancelled = True
        if self._runner is not None:
            self._runner.cancel()
        if self._judge is not None:
            self._judge.cancel()

    async def work(self) -> RunEnd:
        """See RunWork."""
        config = self._status.config
        directory = Path(self._status.directory or "")
        # Before anything is spent: settings that cannot be used would cost a run that is done.
        objects = open_objects(self._settings.storage.objects_url, self._settings.storage.home)
        async with _opened(self._settings, config, directory) as (runner, judge):
            self._runner, self._judge = runner, judge
            if self._is_cancelled:
                return RunEnd(state="cancelled")
            platform = ExperimentationPlatform(runner, judge, BenchmarkSuite(), ResultAnalyzer(), ReportGenerator())
            is_run = self._action == "run"
            results = await (platform.run_experiment(config) if is_run else platform.rescore())
            if results.state == "cancelled" or self._is_cancelled:
                return RunEnd(state="cancelled")
            finished = await platform.finish(results, may_ask_judge=is_run)
            if finished.results.state != "done" and self._is_cancelled:
                return RunEnd(state="cancelled")
        tracker = open_tracker(self._settings)
        return await Publisher(tracker, objects).publish(finished)


def check_experiment(settings: Settings, config: ExperimentConfig, directory: Path) -> CostEstimate:
    """Read the data, plan the matrix in the directory and return what it would take; no model is asked.

    Raises:
        NeuroForgeError: As ExperimentRuns.estimate.
    """
    return asyncio.run(_check(settings, config, directory))


async def _check(settings: Settings, config: ExperimentConfig, directory: Path) -> CostEstimate:
    home = settings.storage.home
    uploads = Uploads(home / "experiments" / ITEMS_FOLDER)
    loaded = await asyncio.to_thread(load_items, config, AssetStore(home), uploads)
    check_scorable(config, loaded.items, Sandbox(allow_unsandboxed=config.allow_unsandboxed))
    async with _opened(settings, config, directory) as (runner, _):
        estimate = (await runner.setup_experiment(config, loaded.items)).estimate
        write_left_out(loaded.problems, directory)
        return estimate


@asynccontextmanager
async def _opened(
    settings: Settings, config: ExperimentConfig, directory: Path
) -> AsyncIterator[tuple[ExperimentRunner, LlmJudge]]:
    """Yield what asks the contestants and what asks the judge, both through the gateway."""
    address = await gateway_address(settings)
    fleet = FleetHandle(get_fleet_actor(settings))
    async with AsyncClient(address.base_url, address.api_key, address.timeout_s) as client:
        parts = RunnerParts(
            hosted=FleetModels(fleet, client),
            executor=RayDataExecutor(address),
            scorer=ReplyScorer(settings, Sandbox(allow_unsandboxed=config.allow_unsandboxed)),
            retention_s=settings.router.retention,
        )
        runner = ExperimentRunner(directory, parts)
        tags_by_model = {model.id: model.tags for model in await fleet.statuses()}
        try:
            yield runner, LlmJudge(client, tags_by_model=tags_by_model)
        finally:
            runner.close()


class ReplyScorer:
    """What a reply is worth, by the item's scorer; the embedder is read when the first item needs it."""

    def __init__(self, settings: Settings, sandbox: Sandbox) -> None:
        self._settings = settings
        self._sandbox = sandbox
        self._embed: Embed | None = None
        self._loading = threading.Lock()

    def __call__(self, item: DatasetItem, reply: CellReply) -> Score:
        """Score a reply that is no error."""
        embed = self._embedder() if item.scorer == "embedding" else None
        return score_cell(item, reply, self._sandbox, embed)

    def _embedder(self) -> Embed:
        with self._loading:
            if self._embed is None:
                store = AssetStore(self._settings.storage.home)
                self._embed = load_router_embedder(store, self._settings.router.embedder).embed
            return self._embed
