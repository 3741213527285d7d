"""CellExecutor in the process itself: for runs away from a cluster, and small ones."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from neuroforge.contracts.experiment_run import Lane
from neuroforge.contracts.experiments import CellReply
from neuroforge.experiments.ask import AskClocks, CellAsker, CellCaller
from neuroforge.experiments.queue import batch_places, read_batch

Batch = asyncio.Task[tuple[CellReply, ...]]


class LocalExecutor:
    """Asks lanes in the caller's event loop; a few batches at a time, so that no slot waits for the next."""

    def __init__(self, caller: CellCaller, clocks: AskClocks | None = None) -> None:
        self._caller = caller
        self._clocks = clocks

    async def execute(self, lane: Lane) -> AsyncGenerator[tuple[CellReply, ...], None]:
        """See CellExecutor."""
        asker = CellAsker(lane, lane.writer, self._caller, self._clocks)
        places = batch_places(Path(lane.queue))
        running: set[Batch] = set()
        try:
            _start_more(running, places, lane, asker)
            while running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                _start_more(running, places, lane, asker)
                for task in done:
                    yield task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            asker.close()


def _start_more(running: set[Batch], places: Iterator[int], lane: Lane, asker: CellAsker) -> None:
    while len(running) < lane.n_batches_at_once and (offset := next(places, None)) is not None:
        running.add(asyncio.create_task(asker.ask_batch(read_batch(Path(lane.queue), offset))))
