"""Queue -> a process each -> status on disk; what a restart finds unfinished is `interrupted`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Generic, Protocol
from weakref import WeakValueDictionary

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.runs import RunAction, RunEnd, RunStatus, new_start_key
from neuroforge.errors import ConflictError, EngineUnavailable, NeuroForgeError
from neuroforge.runs.shelf import UNFINISHED, RunShelf, S
from neuroforge.runs.turns import Turns

logger = logging.getLogger(__name__)
CANCEL_GRACE_S = 20.0
"""A process that was told to stop and has not is ended after this; its journal holds what it had."""
DIED = "its process ended without a word; go on with: {resume} {id}"
STOPPED = "the server stopped before it ended; go on with: {resume} {id}"


class RunProcess(Protocol):
    """One run in a process of its own."""

    async def ended(self) -> RunEnd:
        """Wait for its end. Raises EngineUnavailable: the process is gone."""
        ...

    async def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        ...

    async def close(self) -> None:
        """End the process, whatever it does."""
        ...


class RunLauncher(Protocol):
    """Where runs run."""

    async def launch(self, status: RunStatus, action: RunAction) -> RunProcess:
        """Start its process."""
        ...

    async def find(self, run_id: str) -> RunProcess | None:
        """Its process, if one is alive."""
        ...


class RunQueue(Generic[S]):
    """Runs of one kind over a shelf and a launcher; lives in one event loop. Kinds share the turns."""

    def __init__(
        self,
        shelf: RunShelf[S],
        launcher: RunLauncher,
        now_s: Clock,
        turns: Turns,
        cancel_grace_s: float = CANCEL_GRACE_S,
    ) -> None:
        self._shelf = shelf
        self._launcher = launcher
        self._now_s = now_s
        self._turns = turns
        self._cancel_grace_s = cancel_grace_s
        self._running: dict[str, RunProcess | None] = {}
        """None while its process starts."""
        self._cancelled: set[str] = set()
        self._starting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By key: checks take a while, in which the same start may come again."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Watch on what still runs; the rest that had not ended is interrupted."""
        for status in self._shelf.everything():
            if status.state not in UNFINISHED:
                continue
            process = await self._launcher.find(status.id)
            if process is None:
                self._end(status.id, RunEnd(state="interrupted", error=self._told(STOPPED, status.id)))
            else:
                self._turns.take(status.id)
                self._running[status.id] = process
                self._spawn(self._watch(status.id, process))

    async def status(self, run_id: str) -> S:
        """As it stands now. Raises NotFound."""
        return self._shelf.find(run_id)

    async def list_runs(self) -> tuple[S, ...]:
        """Newest first."""
        return self._shelf.everything()

    async def cancel(self, run_id: str) -> S:
        """Stop it; what it has stays. Raises NotFound, ConflictError: it has ended."""
        status = self._shelf.find(run_id)
        if status.state not in UNFINISHED:
            raise ConflictError(f"{self._shelf.kind.noun} {run_id!r} cannot be cancelled: it is {status.state}")
        if self._turns.withdraw(run_id):
            return self._end(run_id, RunEnd(state="cancelled"))
        self._cancelled.add(run_id)
        if (process := self._running.get(run_id)) is not None:
            self._spawn(self._stop(process, run_id))
        return self._shelf.find(run_id)

    async def resume(self, run_id: str) -> S:
        """Go on with what is open. Raises NotFound; ConflictError: it has not ended, or nothing is open."""
        return self._queue(self._settled(run_id, "resumed"), "run")

    async def _begun(
        self, make: Callable[[Path, float], Awaitable[S]], is_same: Callable[[S], bool], key: str | None = None
    ) -> S:
        """Queue what `make` makes of a new directory and the time; what it refuses leaves nothing behind.

        Args:
            is_same: Whether a run that the key began is what is to be started.
            key: From `new_start_key`, of one call: made again by whoever did not hear its end, it begins no other run,
                but goes on with what was interrupted.
        Raises:
            ConflictError: The key began a run with another configuration.
        """
        key = key or new_start_key()
        lock = self._starting.setdefault(key, asyncio.Lock())
        async with lock:
            if (begun := self._shelf.find_by_key(key)) is not None:
                self._check(is_same(begun), begun.id)
                return self._queue(begun, "run") if begun.state == "interrupted" else begun
            now_s = self._now_s()
            directory = self._shelf.new_directory(now_s, key)
            try:
                return self._queue(await make(directory, now_s), "run")
            except BaseException:
                self._shelf.drop(directory)
                raise

    def _check(self, is_same: bool, run_id: str) -> None:
        if not is_same:
            told = f"{self._shelf.kind.noun} {run_id!r} was started with this key and another configuration"
            raise ConflictError(f"{told}: take another key", run_id=run_id)

    def _settled(self, run_id: str, what: str) -> S:
        status = self._shelf.find(run_id)
        if status.state in UNFINISHED:
            raise ConflictError(f"{self._shelf.kind.noun} {run_id!r} cannot be {what}: it is {status.state}")
        return status

    def _queue(self, status: S, action: RunAction) -> S:
        self._shelf.save(self._changed(status, state="queued", ended_at_s=None, error=None, notes=()))
        self._turns.wait(status.id, partial(self._begin, status.id, action))
        return self._shelf.find(status.id)

    def _begin(self, run_id: str, action: RunAction) -> None:
        self._running[run_id] = None
        self._spawn(self._run(run_id, action))

    async def _run(self, run_id: str, action: RunAction) -> None:
        try:
            status = self._shelf.save(self._changed(self._shelf.find(run_id), state="running"))
            process = await self._launcher.launch(status, action)
        except NeuroForgeError as error:
            self._leave(run_id, RunEnd(state="failed", error=error.message))
            return
        self._running[run_id] = process
        if run_id in self._cancelled:
            self._spawn(self._stop(process, run_id))
        await self._watch(run_id, process)

    async def _watch(self, run_id: str, process: RunProcess) -> None:
        try:
            end = await process.ended()
        except EngineUnavailable:
            end = RunEnd(state="interrupted", error=self._told(DIED, run_id))
            if run_id in self._cancelled:
                end = RunEnd(state="cancelled")
        except NeuroForgeError as error:
            end = RunEnd(state="failed", error=error.message)
        await process.close()
        self._leave(run_id, end)

    async def _stop(self, process: RunProcess, run_id: str) -> None:
        try:
            await process.cancel()
        except EngineUnavailable as error:  # gone, which its watcher sees, or deaf, which the grace's end puts right
            logger.info("a run did not take its cancellation", extra={"reason": error.message})
        await asyncio.sleep(self._cancel_grace_s)
        if self._running.get(run_id) is process:
            logger.warning("a run did not stop and is ended", extra={"run_id": run_id})
            await process.close()

    def _leave(self, run_id: str, end: RunEnd) -> None:
        self._running.pop(run_id, None)
        self._cancelled.discard(run_id)
        self._end(run_id, end)
        self._turns.leave(run_id)

    def _end(self, run_id: str, end: RunEnd) -> S:
        ended = self._changed(self._shelf.find(run_id), **dict(end), ended_at_s=self._now_s())
        logger.info("a run ended", extra={"run_id": run_id, "state": end.state})
        try:
            self._shelf.save(ended)
        except NeuroForgeError as error:
            self._shelf.remember(ended)
            logger.exception("a run's end is not on disk", extra={"reason": error.code})
        return self._shelf.find(run_id)

    def _changed(self, status: S, **changes: object) -> S:
        return self._shelf.kind.status(**{**dict(status), **changes})

    def _told(self, words: str, run_id: str) -> str:
        return words.format(resume=self._shelf.kind.resume, id=run_id)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
