"""Configuration -> plan -> calls -> scores -> cells.parquet. What was answered once is never asked again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from neuroforge.assets.disk import FreeSpace, disk_full_is_ours, free_bytes, require_free
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import ExperimentPlan, Lane, MatrixResult, ModelFacts, PlannedLane
from neuroforge.contracts.experiments import ExperimentConfig, Progress
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.ports_experiments import CellExecutor, HostedModels
from neuroforge.contracts.runs import RunState
from neuroforge.errors import ConflictError, DiskFull, NeuroForgeError, StorageError, first_of
from neuroforge.experiments.cache import ReplyCache
from neuroforge.experiments.compact import compact
from neuroforge.experiments.facts import find_judge, find_models, lane_model
from neuroforge.experiments.item_file import ItemFile, write_items
from neuroforge.experiments.journal import JournalIndex, next_run_number, wait_for_writers
from neuroforge.experiments.judge_estimate import add_judge
from neuroforge.experiments.layout import CacheWindow, Layout, is_exclusive, is_in_turn, lay_out, reads_cache
from neuroforge.experiments.ledger import Ledger
from neuroforge.experiments.matrix import Matrix, make_variants
from neuroforge.experiments.progress import ProgressTracker
from neuroforge.experiments.purge import LOCK
from neuroforge.experiments.score import Scorer
from neuroforge.experiments.session import RunSession
from neuroforge.experiments.tables import CELLS
from neuroforge.experiments.variants import check_names, check_quality
from neuroforge.experiments.wake import wake_models
from neuroforge.storage.files import write_whole

logger = logging.getLogger(__name__)
CONFIG, PLAN, PROGRESS = "config.json", "plan.json", "progress.json"
RETENTION_S = 30 * 86400.0


@dataclass(frozen=True)
class RunnerParts:
    """What a run works with."""

    hosted: HostedModels
    """`neuroforge.client.AsyncClient` is one."""
    executor: CellExecutor
    """`cluster.data.RayDataExecutor`, or `LocalExecutor` without a cluster."""
    scorer: Scorer
    """Called in threads, once for each reply; never for errors nor for items that only a judge can score."""
    check_scorers: Callable[[frozenset[str]], None] = lambda _names: None
    """Told which scorers the items use, before the first call; raises where one cannot be used (no sandbox)."""
    report: Callable[[Progress], None] = lambda _progress: None
    """At most once a second, from the event loop; progress.json is written beside it."""
    retention_s: float = RETENTION_S
    """Kept replies that are older are not used: settings `router.retention`."""
    clock: Clock = time.monotonic
    now: Clock = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    free_space: FreeSpace = free_bytes


class ExperimentRunner:
    """Runs one experiment in its directory, `$NEUROFORGE_HOME/experiments/<id>`, as its only process.

    `setup_experiment`, then `execute_matrix`; after a crash both again, with the same directory: what is journalled
    counts. `close` lets other processes work in the directory.
    """

    def __init__(self, directory: Path, parts: RunnerParts) -> None:
        self.directory = directory.absolute()
        self._parts = parts
        self._lock = FileLock(self.directory / LOCK)
        self._ledger: Ledger | None = None
        self._is_cancelled = False

    async def setup_experiment(
        self, config: ExperimentConfig, items: Iterable[DatasetItem] | None = None
    ) -> ExperimentPlan:
        """Write items, matrix and queues; return what is to be done, with an estimate. Nothing is asked of a model.

        Args:
            items: In the order in which they are to be asked; None = those that an earlier setup wrote.
        Raises:
            ConflictError: Another process works in the directory.
            ModelNotFound, UnsupportedParameter: A model, or the judge, cannot be used: names the nearest.
            DataError: No items; one stands twice, cannot be scored, or does not fill a template.
            RequestError: A gate or planned pair names no variant.
            DiskFull: Too little room for what would come.
        """
        self.hold()
        with self._disk():
            await asyncio.to_thread(wait_for_writers, self.directory)
            hosted = await self._parts.hosted.models()
            models, judge = find_models(hosted, config), find_judge(hosted, config)
            check_names(config, make_variants(config), hosted)
            plan = await asyncio.to_thread(self._plan, config, models, items)
            plan = await asyncio.to_thread(add_judge, plan, judge)
            write_whole(self.directory / CONFIG, config.model_dump_json(indent=1).encode())
            write_whole(self.directory / PLAN, plan.model_dump_json(indent=1).encode())
        return plan

    async def execute_matrix(self, plan: ExperimentPlan) -> MatrixResult:
        """Ask, journal, score and compact; return when nothing more can be done.

        A cell whose call failed is an error in the result, and is asked again by the next run if that may help.

        Raises:
            ConflictError: Another process works in the directory.
            DiskFull: Replies could not be kept; what is journalled is whole, run it again when there is room.
            NeuroForgeError: What the scorer raised; replies are safe.
        """
        self.hold()
        self._ledger = Ledger.start(self.directory, plan.config.budget, self._parts.now)
        if self._is_cancelled:  # while it was planned, before there was a ledger to stop
            self._ledger.stop("cancelled")
        cache = ReplyCache(self.directory.parent) if plan.config.use_cache else None
        tracker = ProgressTracker(plan.n_cells, plan.variants, self._tell, self._parts.clock)
        session = RunSession(plan, tracker, cache, self._parts.scorer, self._parts.now)
        try:
            with self._disk():
                await session.resume()
                if cache is not None:
                    await session.answer_from_cache(self._parts.now() - self._parts.retention_s)
                await self._ask(plan, session)
                if self._ledger.stopped_by != "cancelled":
                    await session.score_rest()
                await session.close()
                await asyncio.to_thread(compact, plan)
        finally:
            await session.close()
            stopped_by = self._ledger.stopped_by
            self._write_progress(tracker.progress(stopped_by))
            self._ledger.close()
            self._ledger = None
            if cache is not None:
                cache.close()
        progress = tracker.progress(stopped_by)
        self._parts.report(progress)
        return MatrixResult(
            plan=plan,
            state=_state(progress),
            progress=progress,
            cells=str(self.directory / CELLS),
            down=session.given_up,
        )

    def cancel(self) -> None:
        """Let no further call start; `execute_matrix` returns when those in flight have ended."""
        self._is_cancelled = True
        if (ledger := self._ledger) is not None:
            ledger.stop("cancelled")

    def hold(self) -> None:
        """Keep other processes out of the directory until `close`. Raises ConflictError: one works in it."""
        if self._lock.is_locked:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConflictError(f"{self.directory}: another process runs this experiment") from error

    def close(self) -> None:
        """Let other processes work in the directory."""
        self._lock.release()

    def _plan(
        self, config: ExperimentConfig, models: tuple[ModelFacts, ...], items: Iterable[DatasetItem] | None
    ) -> ExperimentPlan:
        if items is not None:
            write_items(items, self.directory, config.scorer)
        found = ItemFile(self.directory)
        index = JournalIndex(self.directory)
        cache = ReplyCache(self.directory.parent) if reads_cache(config) else None
        try:
            self._parts.check_scorers(check_quality(config, found))
            window = CacheWindow.of(cache, self._parts.retention_s, self._parts.now()) if cache is not None else None
            layout = lay_out(Matrix(config, models), found, self.directory, index, window)
        finally:
            found.close()
            if cache is not None:
                cache.close()
        require_free(layout.estimator.needed_bytes, self.directory, self._parts.free_space)
        return self._as_plan(config, models, len(found), layout)

    def _as_plan(
        self, config: ExperimentConfig, models: tuple[ModelFacts, ...], n_items: int, layout: Layout
    ) -> ExperimentPlan:
        estimate = layout.estimator.estimate(models, layout.n_cells, layout.n_cached, is_in_turn(config), config)
        return ExperimentPlan(
            id=self.directory.name,
            directory=str(self.directory),
            config=config,
            variants=make_variants(config),
            models=models,
            n_items=n_items,
            n_cells=layout.n_cells,
            n_settled=layout.n_settled,
            estimate=estimate,
            lanes=layout.lanes,
        )

    async def _ask(self, plan: ExperimentPlan, session: RunSession) -> None:
        run_number = next_run_number(self.directory)
        try:
            async with asyncio.TaskGroup() as group:
                for place, planned in enumerate(plan.lanes):
                    group.create_task(self._ask_lane(plan, planned, f"{run_number:06d}-{place:03d}", session))
        except* NeuroForgeError as errors:
            raise first_of(errors) from None

    async def _ask_lane(self, plan: ExperimentPlan, planned: PlannedLane, writer: str, session: RunSession) -> None:
        models = [model for model in plan.models if model.model_id in planned.model_ids]
        facts, down = await wake_models(self._parts.hosted, models, self._parts.sleep)
        lane = Lane(
            directory=plan.directory,
            queue=planned.queue,
            writer=writer,
            n_batches=planned.n_batches,
            n_cells=planned.n_cells,
            models=tuple(
                lane_model(facts[model_id], plan.config.concurrency, down.get(model_id))
                for model_id in planned.model_ids
            ),
            is_exclusive=is_exclusive(plan.config),
            budget=plan.config.budget,
        )
        async with aclosing(self._parts.executor.execute(lane)) as finished:
            async for replies in finished:
                session.take(replies)

    def _tell(self, progress: Progress) -> None:
        self._write_progress(progress)
        self._parts.report(progress)

    def _write_progress(self, progress: Progress) -> None:
        try:
            write_whole(self.directory / PROGRESS, progress.model_dump_json().encode())
        except (DiskFull, StorageError) as error:
            logger.warning("progress was not written", extra={"path": str(self.directory), "reason": error.code})

    def _disk(self) -> AbstractContextManager[None]:
        advice = "What is journalled is kept: free some space and run the experiment again"
        return disk_full_is_ours(self.directory, self._parts.free_space, advice)


def _state(progress: Progress) -> RunState:
    if progress.stopped_by == "cancelled":
        return "cancelled"
    return "done" if progress.n_done >= progress.n_cells else "interrupted"
