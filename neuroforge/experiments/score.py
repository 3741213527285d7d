"""Replies -> scores, beside the calls and never in their way."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import CellReply, CellScore
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.scores import Score
from neuroforge.experiments.item_file import ItemFile
from neuroforge.experiments.scores import ScoreLog

Scorer = Callable[[DatasetItem, CellReply], Score]
"""Says what a reply is worth; may take long (tests of code). Called in threads."""
MOST_WAITING = 2048
"""Replies that wait for their score in memory; more are scored from the journal when the calls are over."""
_N_AT_ONCE = 64


@dataclass(frozen=True)
class Scored:
    """One score and where it belongs."""

    variant_index: int
    score: CellScore


class ScoreDesk:
    """Scores in threads; writes and reports in the event loop's own."""

    def __init__(
        self,
        scorer: Scorer,
        items: ItemFile,
        log: ScoreLog,
        on_scored: Callable[[Scored], None],
        now: Clock = time.time,
    ) -> None:
        self._scorer = scorer
        self._items = items
        self._log = log
        self._on_scored = on_scored
        self._now = now
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="score")
        self._tasks: set[asyncio.Task[None]] = set()
        self._n_waiting = 0
        self._failure: BaseException | None = None

    def offer(self, replies: Sequence[tuple[int, int, CellReply]]) -> None:
        """Take replies as (item, variant, reply) if there is room; errors and what only a judge can score are left out.

        Raises:
            NeuroForgeError: What the scorer raised before.
        """
        self._raise_failure()
        todo = [(item, variant, reply) for index, variant, reply in replies if (item := self._wanted(index, reply))]
        if self._n_waiting + len(todo) <= MOST_WAITING:
            for part in _parts(todo):
                self._start(part)

    async def score(self, replies: Sequence[tuple[int, int, CellReply]]) -> None:
        """As offer, but wait for room, so that none is left out."""
        todo = [(item, variant, reply) for index, variant, reply in replies if (item := self._wanted(index, reply))]
        for part in _parts(todo):
            while self._tasks and self._n_waiting + len(part) > MOST_WAITING:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._raise_failure()
            self._start(part)

    async def finish(self) -> None:
        """Wait for all that was taken."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._raise_failure()

    async def close(self) -> None:
        """Drop what has not begun; wait for what has."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _wanted(self, item_index: int, reply: CellReply) -> DatasetItem | None:
        if reply.reply is None:
            return None
        item = self._items[item_index]
        return item if item.scorer != "judge" else None

    def _start(self, part: "list[_Todo]") -> None:
        self._n_waiting += len(part)
        task = asyncio.create_task(self._score_part(part))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _score_part(self, part: "list[_Todo]") -> None:
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._pool, self._score_all, part)
        finally:
            self._n_waiting -= len(part)
        self._log.append(one.score for one in found)
        for one in found:
            self._on_scored(one)

    def _score_all(self, part: "list[_Todo]") -> list[Scored]:
        return [
            Scored(
                variant,
                CellScore(cell_id=reply.cell_id, scorer=item.scorer, score=self._scorer(item, reply), at_s=self._now()),
            )
            for item, variant, reply in part
        ]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


_Todo = tuple[DatasetItem, int, CellReply]


def _parts(todo: list[_Todo]) -> list[list[_Todo]]:
    """Code one by one, for each takes long; the others many at once."""
    code = [[one] for one in todo if one[0].scorer == "code"]
    rest = [one for one in todo if one[0].scorer != "code"]
    return [*(rest[start : start + _N_AT_ONCE] for start in range(0, len(rest), _N_AT_ONCE)), *code]
