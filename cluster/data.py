"""CellExecutor on Ray Data: places of batches -> ask-actors on the head node -> replies, streamed back.

What is asked lies in a file of the head node and what is answered in the actors' journals there; Ray carries places one
way and replies the other, so that memory does not grow with the matrix. Nothing that a model or a row does raises in a
stage: Ray Data would end the whole job (docs/decisions/124).
"""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
import uvloop
from ray.data import ActorPoolStrategy, DataContext

from cluster.cells import GatewayAddress, GatewayCaller
from cluster.garbage import spare_garbage_collection
from cluster.names import ON_HEAD
from neuroforge.contracts.experiment_run import Lane
from neuroforge.contracts.experiments import CellReply
from neuroforge.errors import DataError, DiskFull, EngineError, NeuroForgeError
from neuroforge.experiments.ask import CellAsker
from neuroforge.experiments.ledger import Ledger
from neuroforge.experiments.queue import batch_places, read_batch

ACTOR_CPUS = 0.01
"""An ask-actor waits for replies most of the time; whole CPUs would not be there beside a loaded fleet."""
ACTOR_START_S = 300
"""How long Ray may take to find room for an ask-actor."""
MAX_BLOCKS = 2000
"""Ray Data plans each block on its own, which costs some milliseconds."""
ROWS_AHEAD = 8
"""Batches of replies that wait in this process; more wait in Ray's object store, and then the actors wait."""


class RayDataExecutor:
    """Asks a lane by a Data job of its own. Needs a connection to Ray (`ray.init`), from a process on the head node."""

    def __init__(self, gateway: GatewayAddress) -> None:
        self._gateway = gateway

    async def execute(self, lane: Lane) -> AsyncGenerator[tuple[CellReply, ...], None]:
        """See CellExecutor. Several lanes may run at once."""
        pump = _Pump(lane, self._gateway)
        try:
            async for row in pump.rows():
                if row["disk_full"]:
                    raise DiskFull(row["disk_full"], path=lane.directory)
                yield read_replies(row["replies"])
        finally:
            pump.close()


def read_replies(lines: str) -> tuple[CellReply, ...]:
    """Return the replies of JSON lines. Not by splitlines: JSON leaves line ends of other kinds in texts."""
    return tuple(CellReply.model_validate_json(line) for line in lines.split("\n") if line)


def as_ours(error: BaseException) -> NeuroForgeError:
    """Return the error of ours that ended a Data job, wherever Ray has put it; else one that says that Ray did."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, NeuroForgeError):
        cause = getattr(found, "cause", None)
        found = cause if isinstance(cause, BaseException) else found.__cause__
    return found or EngineError(
        f"Ray Data ended the run ({type(error).__name__}); what was answered is kept: resume it"
    )


class AskActor:
    """Ray Data's stage: asks the batches that begin at the places given; called from several threads, works in one."""

    _is_open = False

    def __init__(self, lane: Lane, gateway: GatewayAddress) -> None:
        if not Path(lane.directory).is_dir():
            raise DataError(f"{lane.directory} is not on this node: run experiments from the head node")
        self._queue = Path(lane.queue)
        self._caller = GatewayCaller(gateway)
        self._asker = CellAsker(lane, f"{lane.writer}-{os.getpid()}", self._caller)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._is_open = True
        spare_garbage_collection()  # a full collection takes a tenth of a second, in which no slot is filled again

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        """Return one row a place: replies as JSON lines, or why the journal could not be written."""
        futures = [asyncio.run_coroutine_threadsafe(self._ask(int(offset)), self._loop) for offset in block["offset"]]
        rows = [future.result() for future in futures]
        return {
            "replies": np.array([replies for replies, _ in rows], dtype=object),
            "disk_full": np.array([reason for _, reason in rows], dtype=object),
        }

    def __del__(self) -> None:
        """Ray Data lets the stage go before it ends the actor."""
        self.close()

    def close(self) -> None:
        """Close connections and journal; twice is as good as once."""
        if self._is_open:
            self._is_open = False
            asyncio.run_coroutine_threadsafe(self._caller.close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._asker.close()

    async def _ask(self, offset: int) -> tuple[str, str]:
        try:
            replies = await self._asker.ask_batch(read_batch(self._queue, offset))
        except DiskFull as error:
            return "", error.message
        return "\n".join(reply.model_dump_json(exclude_defaults=True) for reply in replies), ""


class _Pump:
    """Pulls a Data job's rows in a thread, a few ahead of their reader."""

    def __init__(self, lane: Lane, gateway: GatewayAddress) -> None:
        self._lane = lane
        self._gateway = gateway
        self._room = threading.Semaphore(ROWS_AHEAD)
        self._is_closed = False
        self._is_over = False

    async def rows(self) -> AsyncGenerator[dict[str, str], None]:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[dict[str, str] | BaseException | None] = asyncio.Queue()
        threading.Thread(target=self._pull, args=(loop, arrived), daemon=True).start()
        while (row := await arrived.get()) is not None:
            if isinstance(row, BaseException):
                raise as_ours(row) from row
            self._room.release()
            yield row
        self._is_over = True

    def close(self) -> None:
        """Let no further call start."""
        self._is_closed = True
        self._room.release()
        if not self._is_over:
            ledger = Ledger(Path(self._lane.directory), self._lane.budget)
            ledger.stop("cancelled")
            ledger.close()

    def _pull(self, loop: asyncio.AbstractEventLoop, arrived: "asyncio.Queue[Any]") -> None:
        end: BaseException | None = None
        try:
            for row in self._run():
                if self._is_closed:
                    return
                self._room.acquire()
                loop.call_soon_threadsafe(arrived.put_nowait, row)
        except BaseException as error:  # noqa: BLE001 - handed over to the reader, who raises it
            end = error
        if not self._is_closed:
            loop.call_soon_threadsafe(arrived.put_nowait, end)

    def _run(self) -> Iterator[dict[str, str]]:
        lane = self._lane
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # A batch may take an hour on a slow model: that is no hang. An actor that does not start is one.
        context.issue_detectors_config.detectors = []
        context.execution_no_progress_timeout_s = -1
        context.wait_for_min_actors_s = ACTOR_START_S
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        places = [{"offset": offset} for offset in batch_places(Path(lane.queue))]
        n_at_once = lane.n_batches_at_once
        asked = ray.data.from_items(places, override_num_blocks=min(len(places), MAX_BLOCKS)).map_batches(
            AskActor,
            batch_size=None,
            fn_constructor_args=(lane, self._gateway),
            compute=ActorPoolStrategy(
                size=1,
                max_concurrent_calls_per_actor=n_at_once,
                max_tasks_in_flight_per_actor=n_at_once,
                enable_true_multi_threading=True,
            ),
            num_cpus=ACTOR_CPUS,
            resources=ON_HEAD,
        )
        rows: Iterator[dict[str, str]] = asked.iter_rows()
        return rows
