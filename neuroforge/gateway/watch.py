"""Notice that time is up while the answer is being made, which cancels the work."""

import asyncio
from types import TracebackType

from neuroforge.errors import EngineTimeout


class Deadline:
    """asyncio.timeout that raises our own error, and only for its own time."""

    def __init__(self, seconds: float, slack_s: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds + slack_s)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as raised:
            raise EngineTimeout(f"the answer was not complete within {self._seconds:g} s") from raised
