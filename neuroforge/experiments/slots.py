"""How many calls one model gets at once, and whose turn it is."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SlotGate:
    """Lets so many calls through at a time; fewer when the model refuses, more again when it answers.

    Halves on a refusal and adds one slot for each full round of answers, up to the most.
    """

    def __init__(self, n_slots: int, n_most: int) -> None:
        self._limit = float(min(n_slots, n_most))
        self._n_most = n_most
        self._n_inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls at once as of now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free slot, first come first served, and hold it."""
        while self._n_inside >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()
                raise
        self._n_inside += 1
        try:
            yield
        finally:
            self._n_inside -= 1
            self._wake()

    def answered(self) -> None:
        """The model took a call."""
        self._limit = min(self._n_most, self._limit + 1.0 / self._limit)
        self._wake()

    def refused(self) -> None:
        """The model had no room for a call."""
        self._limit = max(1.0, self._limit / 2)

    def _wake(self) -> None:
        n_free = self.limit - self._n_inside
        while self._waiting and n_free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                n_free -= 1


class Turnstile:
    """One model at a time; batches of the same model pass together, others wait until all of it are through."""

    def __init__(self) -> None:
        self._inside: str | None = None
        self._n_inside = 0
        self._queue: deque[tuple[str, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def turn(self, model_id: str) -> AsyncIterator[None]:
        """Wait for the model's turn, in order of arrival."""
        if self._n_inside and (self._inside != model_id or self._queue):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append((model_id, turn))
            await turn
        else:
            self._inside, self._n_inside = model_id, self._n_inside + 1
        try:
            yield
        finally:
            self._n_inside -= 1
            self._admit()

    def _admit(self) -> None:
        while self._queue and (self._n_inside == 0 or self._queue[0][0] == self._inside):
            model_id, turn = self._queue.popleft()
            if not turn.done():
                self._inside, self._n_inside = model_id, self._n_inside + 1
                turn.set_result(None)
