"""Background loops of a gateway replica: each second events and counts out, keys, others' counts, prompts in."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from neuroforge.contracts.keys import GatewayReport
from neuroforge.contracts.ports import Metrics
from neuroforge.gateway.accounting import EXCHANGE_FAILURES, LOOP_FAILURES
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.parts import GatewayParts

logger = logging.getLogger(__name__)
EXCHANGE_TIMEOUT_S = 10.0
DRAIN_TIMEOUT_S = 5.0


class StateExchange:
    """Keeps the replica and the store in step. When the store is away, the last keys stay valid and events wait."""

    def __init__(self, parts: GatewayParts, desk: Desk) -> None:
        self._replica_id = parts.options.replica_id
        self._interval_s = parts.options.exchange_interval_s
        self._state = parts.state
        self._metrics = parts.metrics
        self._desk = desk
        self._uses = parts.prompt_uses
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Exchange for ever."""
        while True:
            await self.try_once()
            await asyncio.sleep(self._interval_s)

    async def try_once(self, timeout_s: float = EXCHANGE_TIMEOUT_S) -> bool:
        """One exchange; a failure is logged and counted. Returns whether it worked."""
        self._desk.ledger.flush()
        try:
            async with asyncio.timeout(timeout_s):
                await self.once()
        except Exception as error:  # noqa: BLE001 - this loop must survive whatever the store or the handle raises
            self._metrics.count(EXCHANGE_FAILURES)
            logger.warning("exchange with the store failed", extra={"kind": type(error).__name__})
            return False
        return True

    async def once(self) -> None:
        """Hand over, take over.

        Raises:
            Exception: Whatever the store raises; the events stay queued.
        """
        async with self._lock:
            events = self._desk.audit.take()
            uses, shelf = self._uses.take(), self._desk.prompting.shelf
            report = GatewayReport(
                replica_id=self._replica_id,
                audit=events,
                usage=self._desk.limiter.report(),
                prompts_revision=shelf.revision,
                prompt_uses=uses,
            )
            is_done = False
            try:
                snapshot = await self._state.exchange(report)
                is_done = True
            finally:
                if not is_done:
                    self._desk.audit.put_back(events)
                    self._uses.put_back(uses)
            self._desk.auth.update(snapshot)
            self._desk.limiter.update(snapshot.usage_elsewhere)
            if snapshot.prompts is not None:
                if any(one.nearest is not None for one in snapshot.prompts.releases):
                    await asyncio.to_thread(shelf.index, snapshot.prompts)
                shelf.update(snapshot.prompts)

    async def drain(self) -> None:
        """Hand over what is left, for a limited time."""
        has_worked = await self.try_once(DRAIN_TIMEOUT_S)
        while has_worked and len(self._desk.audit):
            has_worked = await self.try_once(DRAIN_TIMEOUT_S)


@asynccontextmanager
async def running(loops: tuple[Callable[[], Coroutine[Any, Any, None]], ...], metrics: Metrics) -> AsyncIterator[None]:
    """Run the loops while the context is open; one that ends by an error is logged and counted."""

    async def guard(loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await loop()
        except Exception:
            metrics.count(LOOP_FAILURES)
            logger.exception("a background loop of the gateway ended")

    tasks = [asyncio.create_task(guard(loop)) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
