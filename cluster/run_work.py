"""What the process of every run does: begin once, tell how it ended, hear a cancel from another thread."""

import asyncio
import logging
import threading
from abc import ABC, abstractmethod

from neuroforge.contracts.runs import RunEnd
from neuroforge.errors import NeuroForgeError

logger = logging.getLogger(__name__)


class RunWork(ABC):
    """One run; each kind says what it does and how it stops."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._lock = threading.Lock()
        self._end: RunEnd | None = None

    def run(self) -> RunEnd:
        """Return how it ended; asked again while it runs, wait for the same end."""
        with self._lock:
            if self._end is None:
                self._end = asyncio.run(self._work_or_fail())
            return self._end

    @abstractmethod
    def cancel(self) -> None:
        """Let no further call start; it may come before the work begins, and from another thread."""

    @abstractmethod
    async def work(self) -> RunEnd:
        """Do it. Raises NeuroForgeError: it failed."""

    async def _work_or_fail(self) -> RunEnd:
        try:
            return await self.work()
        except NeuroForgeError as error:
            logger.warning("a run failed", extra={"run_id": self._run_id, "reason": error.code})
            return RunEnd(state="failed", error=error.message)
