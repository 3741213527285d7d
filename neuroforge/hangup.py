"""Notice that the caller hung up while the answer is being made, which cancels the work."""

import asyncio
from types import TracebackType

from starlette.types import Receive

BEGIN_AFTER_S = 0.05
"""Fast answers are there by then and are spared a task of their own (a tenth of the gateway's work on them)."""


class ClientGoneError(Exception):
    """The caller hung up; nobody is left to answer."""


class Watch:
    """While open, a disconnect cancels the surrounding task; leaving then raises ClientGoneError."""

    def __init__(self, receive: Receive, begin_after_s: float = BEGIN_AFTER_S) -> None:
        self._receive = receive
        self._begin_after_s = begin_after_s
        self._is_gone = False
        self._task: asyncio.Task[object] | None = None
        self._starter: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        self._starter = asyncio.get_running_loop().call_later(self._begin_after_s, self._begin)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._starter is not None:
            self._starter.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if not self._is_gone or self._task is None:
            return
        self._task.uncancel()
        if kind is None:
            # The cancellation came after the last await: take it here, or it would hit whatever comes next.
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                raise ClientGoneError from None
        raise ClientGoneError from error

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        if self._task is not None:
            self._task.cancel()
