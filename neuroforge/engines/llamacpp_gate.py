"""Who may use the model's slots: first come, first served, with a limit on how many may wait.

llama.cpp has a queue of its own, but a request in it cannot be withdrawn and a full one refuses nobody.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from neuroforge.errors import EngineOverloaded


class SlotGate:
    """Hands out `n_slots` slots within one event loop."""

    def __init__(self, model_id: str, n_slots: int, max_queue: int, retry_after_s: Callable[[], float]) -> None:
        self._model_id = model_id
        self._free = self._total = n_slots
        self._max_queue = max_queue
        self._retry_after_s = retry_after_s
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def n_waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def n_held(self) -> int:
        """Slots handed out."""
        return self._total - self._free

    @asynccontextmanager
    async def hold(self, n_slots: int = 1) -> AsyncIterator[None]:
        """Hold slots for the body of the `with`; a request that wants more than all gets all.

        Raises:
            EngineOverloaded: `max_queue` requests wait already.
        """
        n_slots = min(n_slots, self._total)
        await self._acquire(n_slots)
        try:
            yield
        finally:
            self._release(n_slots)

    async def _acquire(self, n_slots: int) -> None:
        if not self._waiting and self._free >= n_slots:
            self._free -= n_slots
            return
        if len(self._waiting) >= self._max_queue:
            raise EngineOverloaded(
                f"{self._model_id}: all {self._total} slots are busy and {len(self._waiting)} requests wait",
                model_id=self._model_id,
                retry_after_s=self._retry_after_s(),
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (n_slots, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(n_slots)
            else:
                self._waiting.remove(entry)
                self._serve_next()
            raise

    def _release(self, n_slots: int) -> None:
        self._free += n_slots
        self._serve_next()

    def _serve_next(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            n_slots, turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self._free -= n_slots
            turn.set_result(None)
