"""start -> check -> queue -> a process each -> status on disk; what a restart finds unfinished is `interrupted`."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Protocol

from neuroforge.contracts.experiment_desk import RerunRequest, RunAction, RunEnd
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentState, ExperimentStatus
from neuroforge.contracts.ports import Clock
from neuroforge.errors import ConflictError, EngineUnavailable, NeuroForgeError
from neuroforge.experiments.shelf import UNFINISHED, Shelf

logger = logging.getLogger(__name__)
CANCEL_GRACE_S = 20.0
"""A process that was told to stop and has not is ended after this; its journal holds what it had."""
DIED = "its process ended without a word; go on with: neuroforge experiment resume {id}"
STOPPED = "the server stopped before it ended; go on with: neuroforge experiment resume {id}"


class RunningExperiment(Protocol):
    """One experiment in a process of its own."""

    async def ended(self) -> RunEnd:
        """Wait for its end. Raises EngineUnavailable: the process is gone."""
        ...

    async def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        ...

    async def close(self) -> None:
        """End the process, whatever it does."""
        ...


class Launcher(Protocol):
    """Where experiments run."""

    async def check(self, config: ExperimentConfig, directory: Path) -> CostEstimate:
        """As ExperimentRuns.estimate; what was planned stays in the directory, and is what a launch runs."""
        ...

    async def launch(self, status: ExperimentStatus, action: RunAction) -> RunningExperiment:
        """Start its process."""
        ...

    async def find(self, experiment_id: str) -> RunningExperiment | None:
        """Its process, if one is alive."""
        ...


class ExperimentQueue:
    """Implements ExperimentRuns over a shelf and a launcher; lives in one event loop."""

    def __init__(
        self,
        shelf: Shelf,
        launcher: Launcher,
        now_s: Clock,
        max_running: int = 1,
        cancel_grace_s: float = CANCEL_GRACE_S,
    ) -> None:
        self._shelf = shelf
        self._launcher = launcher
        self._now_s = now_s
        self._max_running = max_running
        self._cancel_grace_s = cancel_grace_s
        self._waiting: deque[tuple[str, RunAction]] = deque()
        self._running: dict[str, RunningExperiment | None] = {}
        """None while its process starts."""
        self._cancelled: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Watch on what still runs; the rest that had not ended is interrupted."""
        for status in self._shelf.everything():
            if status.state not in UNFINISHED:
                continue
            process = await self._launcher.find(status.id)
            if process is None:
                self._end(status.id, RunEnd(state="interrupted", error=STOPPED.format(id=status.id)))
            else:
                self._running[status.id] = process
                self._spawn(self._watch(status.id, process))

    async def estimate(self, config: ExperimentConfig) -> CostEstimate:
        """See ExperimentRuns."""
        with self._shelf.scratch() as directory:
            return await self._launcher.check(config, directory)

    async def start(self, config: ExperimentConfig, rerun_of: str | None = None) -> ExperimentStatus:
        """See ExperimentRuns."""
        now_s = self._now_s()
        directory = self._shelf.new_directory(now_s)
        try:
            estimate = await self._launcher.check(config, directory)
            status = ExperimentStatus(
                id=directory.name,
                name=config.name,
                state="queued",
                config=config,
                created_at_s=now_s,
                estimate=estimate,
                directory=str(directory),
                rerun_of=rerun_of,
            )
            return self._queue(status, "run")
        except BaseException:
            self._shelf.drop(directory)
            raise

    async def status(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return self._shelf.find(experiment_id)

    async def list_experiments(self) -> tuple[ExperimentStatus, ...]:
        """See ExperimentRuns."""
        return self._shelf.everything()

    async def cancel(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        status = self._shelf.find(experiment_id)
        if status.state not in UNFINISHED:
            raise ConflictError(f"experiment {experiment_id!r} cannot be cancelled: it is {status.state}")
        if experiment_id not in self._running:
            self._waiting = deque(one for one in self._waiting if one[0] != experiment_id)
            return self._end(experiment_id, RunEnd(state="cancelled"))
        self._cancelled.add(experiment_id)
        process = self._running[experiment_id]
        if process is not None:
            self._spawn(self._stop(process, experiment_id))
        return self._shelf.find(experiment_id)

    async def resume(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        status = self._settled(experiment_id, "resumed")
        progress = status.progress
        if status.state == "done" and progress is not None and progress.n_errors == 0 and progress.stopped_by is None:
            raise ConflictError(f"experiment {experiment_id!r} is done: every cell has an answer")
        return self._queue(status, "run")

    async def rescore(self, experiment_id: str) -> ExperimentStatus:
        """See ExperimentRuns."""
        return self._queue(self._settled(experiment_id, "rescored"), "rescore")

    async def rerun(self, experiment_id: str, request: RerunRequest) -> ExperimentStatus:
        """See ExperimentRuns."""
        first = self._shelf.find(experiment_id).config
        values = {**dict(first), "name": request.name or first.name, "use_cache": request.use_cache}
        return await self.start(ExperimentConfig(**values), rerun_of=experiment_id)

    def _settled(self, experiment_id: str, what: str) -> ExperimentStatus:
        status = self._shelf.find(experiment_id)
        if status.state in UNFINISHED:
            raise ConflictError(f"experiment {experiment_id!r} cannot be {what}: it is {status.state}")
        return status

    def _queue(self, status: ExperimentStatus, action: RunAction) -> ExperimentStatus:
        values = {**dict(status), "state": "queued", "ended_at_s": None, "error": None, "notes": ()}
        queued = self._shelf.save(ExperimentStatus(**values))
        self._waiting.append((queued.id, action))
        self._pump()
        return self._shelf.find(queued.id)

    def _pump(self) -> None:
        while self._waiting and len(self._running) < self._max_running:
            experiment_id, action = self._waiting.popleft()
            self._running[experiment_id] = None
            self._spawn(self._run(experiment_id, action))

    async def _run(self, experiment_id: str, action: RunAction) -> None:
        try:
            status = self._shelf.save(self._with_state(experiment_id, "running"))
            process = await self._launcher.launch(status, action)
        except NeuroForgeError as error:
            self._leave(experiment_id, RunEnd(state="failed", error=error.message))
            return
        self._running[experiment_id] = process
        if experiment_id in self._cancelled:
            self._spawn(self._stop(process, experiment_id))
        await self._watch(experiment_id, process)

    async def _watch(self, experiment_id: str, process: RunningExperiment) -> None:
        try:
            end = await process.ended()
        except EngineUnavailable:
            end = RunEnd(state="interrupted", error=DIED.format(id=experiment_id))
            if experiment_id in self._cancelled:
                end = RunEnd(state="cancelled")
        except NeuroForgeError as error:
            end = RunEnd(state="failed", error=error.message)
        await process.close()
        self._leave(experiment_id, end)

    async def _stop(self, process: RunningExperiment, experiment_id: str) -> None:
        try:
            await process.cancel()
        except EngineUnavailable as error:  # gone, which its watcher sees, or deaf, which the grace's end puts right
            logger.info("experiment did not take its cancellation", extra={"reason": error.message})
        await asyncio.sleep(self._cancel_grace_s)
        if self._running.get(experiment_id) is process:
            logger.warning("experiment did not stop and is ended", extra={"experiment_id": experiment_id})
            await process.close()

    def _leave(self, experiment_id: str, end: RunEnd) -> None:
        self._running.pop(experiment_id, None)
        self._cancelled.discard(experiment_id)
        self._end(experiment_id, end)
        self._pump()

    def _end(self, experiment_id: str, end: RunEnd) -> ExperimentStatus:
        status = self._shelf.find(experiment_id)
        ended = ExperimentStatus(**{**dict(status), **dict(end), "ended_at_s": self._now_s()})
        logger.info("experiment ended", extra={"experiment_id": experiment_id, "state": end.state})
        try:
            self._shelf.save(ended)
        except NeuroForgeError as error:
            self._shelf.remember(ended)
            logger.exception("an experiment's end is not on disk", extra={"reason": error.code})
        return self._shelf.find(experiment_id)

    def _with_state(self, experiment_id: str, state: ExperimentState) -> ExperimentStatus:
        return ExperimentStatus(**{**dict(self._shelf.find(experiment_id)), "state": state})

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
