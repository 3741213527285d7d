"""What both clients offer of live tests."""

from abc import abstractmethod
from typing import TypeVar

from neuroforge.client import calls_live_tests as calls
from neuroforge.client.calls import Call
from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestStatus

T = TypeVar("T")


class LiveTesting:
    """The blocking client's part."""

    @abstractmethod
    def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    def create_live_test(self, spec: LiveTestSpec) -> LiveTestStatus:
        """Compare models or prompts on live traffic from now on. Raises RequestError, ConflictError."""
        return self._send(calls.create_live_test(spec))

    def live_tests(self) -> tuple[LiveTestStatus, ...]:
        """All that were ever made, newest first."""
        return self._send(calls.live_tests())

    def live_test(self, name: str) -> LiveTestStatus:
        """What it says so far; it may be looked at as often as one likes. Raises NotFound."""
        return self._send(calls.live_test(name))

    def stop_live_test(self, name: str) -> LiveTestStatus:
        """Answer its target as usual again. Raises NotFound."""
        return self._send(calls.stop_live_test(name))


class AsyncLiveTesting:
    """The async client's part."""

    @abstractmethod
    async def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    async def create_live_test(self, spec: LiveTestSpec) -> LiveTestStatus:
        """As the blocking client."""
        return await self._send(calls.create_live_test(spec))

    async def live_tests(self) -> tuple[LiveTestStatus, ...]:
        """As the blocking client."""
        return await self._send(calls.live_tests())

    async def live_test(self, name: str) -> LiveTestStatus:
        """As the blocking client."""
        return await self._send(calls.live_test(name))

    async def stop_live_test(self, name: str) -> LiveTestStatus:
        """As the blocking client."""
        return await self._send(calls.stop_live_test(name))
