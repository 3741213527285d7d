"""Finished -> OutcomeRow, each as soon as its answer is out, so that the exchange only has to send rows.

All rows of half a second packed in one go would be in the way of every request that comes then, and those are about a
twentieth of all: docs/decisions/085.
"""

import asyncio
import logging

from neuroforge.contracts.outcomes import RecordLevel
from neuroforge.contracts.ports import Metrics
from neuroforge.router.learner_input import pack_row
from neuroforge.router.pipeline import FAILURES, LearnedRouter
from neuroforge.router.records import make_record
from neuroforge.storage.outcome_rows import OutcomeRow

logger = logging.getLogger(__name__)

MAX_BATCH = 1024
AT_ONCE = 8
"""Rows packed before requests get their turn: a yield after each would stretch the work over many more requests."""


class RowPacker:
    """Collects one batch; what comes while it is full waits in the router's buffer."""

    def __init__(self, router: LearnedRouter, level: RecordLevel, metrics: Metrics) -> None:
        self._router = router
        self._level = level
        self._metrics = metrics
        self._rows: list[OutcomeRow] = []
        self._is_due = False

    def __len__(self) -> int:
        """How many outcomes wait, packed or not."""
        return len(self._rows) + len(self._router.buffer)

    def start(self) -> None:
        """Pack on in the running loop, until `stop`: each row when the loop has done its request's last step."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not self._is_due and len(self._rows) < MAX_BATCH:
                self._is_due = True
                loop.call_soon(pack)

        def pack() -> None:
            self._is_due = False
            self._pack(AT_ONCE)
            if len(self._router.buffer):
                wake()

        self._router.buffer.listen(wake)

    def stop(self) -> None:
        """Leave what comes now to `take`."""
        self._router.buffer.listen(None)

    async def take(self) -> tuple[OutcomeRow, ...]:
        """Return a batch of what waits, the oldest first; requests get their turn meanwhile."""
        while len(self._router.buffer) and len(self._rows) < MAX_BATCH:
            self._pack(AT_ONCE)
            await asyncio.sleep(0)
        rows, self._rows = self._rows, []
        return tuple(rows)

    def _pack(self, n: int) -> None:
        for finished in self._router.buffer.take(min(n, MAX_BATCH - len(self._rows))):
            try:
                row = pack_row(make_record(self._router.describe(finished), self._level), self._level)
            except Exception as error:  # the loop that calls must survive whatever the learned part raises
                self._router.buffer.lose(1)
                self._metrics.count(FAILURES, tags={"kind": type(error).__name__})
                logger.exception("an outcome could not be recorded")
            else:
                if row is not None:
                    self._rows.append(row)
