"""Fleet (over a handle, once a second) -> FleetSnapshot in this process, free to read on every request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from neuroforge.contracts.fleet import ActivityReport, ModelActivity
from neuroforge.contracts.ports import Clock, Fleet
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.errors import EngineUnavailable

logger = logging.getLogger(__name__)

EXCHANGE_TIMEOUT_S = 10.0


@dataclass
class _Use:
    n_in_flight: int = 0
    n_requests: int = 0
    last_used_s: float | None = None


class FleetCache:
    """FleetView. Keeps the last snapshot while the fleet controller is away: models answer without it."""

    def __init__(
        self,
        fleet: Fleet,
        replica_id: str,
        clock: Clock,
        period_s: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` is Unix time: the controller compares uses over all replicas."""
        self._fleet = fleet
        self._replica_id = replica_id
        self._clock = clock
        self._period_s = period_s
        self._sleep = sleep
        self._snapshot = FleetSnapshot(version=0)
        self._use_by_model: dict[str, _Use] = {}
        self._changed = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._n_failures = 0

    @property
    def snapshot(self) -> FleetSnapshot:
        """As FleetView.snapshot; version 0 without models until the controller has answered once."""
        return self._snapshot

    @property
    def n_failures(self) -> int:
        """Exchanges that failed since the start."""
        return self._n_failures

    def started(self, model_id: str) -> None:
        """As FleetView.started."""
        use = self._use_by_model.get(model_id)
        if use is None:
            use = self._use_by_model[model_id] = _Use()
        use.n_in_flight += 1
        use.n_requests += 1
        use.last_used_s = self._clock()

    def finished(self, model_id: str) -> None:
        """As FleetView.finished."""
        use = self._use_by_model[model_id]
        use.n_in_flight -= 1
        use.last_used_s = self._clock()

    async def request_load(self, model_id: str) -> None:
        """As FleetView.request_load; the snapshot is newer than the load's start when this returns."""
        try:
            async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
                await self._fleet.load(model_id)
            await self.refresh()
        except TimeoutError as error:
            what = f"{model_id}: the fleet controller did not answer within {EXCHANGE_TIMEOUT_S:g} s"
            raise EngineUnavailable(what, model_id=model_id) from error

    async def wait_for_change(self, timeout_s: float) -> FleetSnapshot:
        """As FleetView.wait_for_change."""
        changed = self._changed
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            pass
        return self._snapshot

    async def run(self) -> None:
        """Refresh for ever; a failure is logged and counted, and the last snapshot stays."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - this loop must outlive a controller that restarts
                self._n_failures += 1
                logger.warning(
                    "fleet exchange failed",
                    extra={"replica_id": self._replica_id, "error": type(error).__name__, "n": self._n_failures},
                )
            await self._sleep(self._period_s)

    async def refresh(self) -> None:
        """Tell the controller what was used since the last time, and take its snapshot."""
        async with self._refreshing:
            reported = {model_id: use.n_requests for model_id, use in self._use_by_model.items()}
            async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
                snapshot = await self._fleet.exchange(self._report())
            self._forget(reported)
            if snapshot != self._snapshot:
                self._snapshot = snapshot
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()

    def _report(self) -> ActivityReport:
        return ActivityReport(
            replica_id=self._replica_id,
            activities=tuple(
                ModelActivity(
                    model_id=model_id,
                    n_in_flight=use.n_in_flight,
                    last_used_s=use.last_used_s,
                    n_requests=use.n_requests,
                )
                for model_id, use in self._use_by_model.items()
            ),
        )

    def _forget(self, reported: dict[str, int]) -> None:
        """What came while the controller answered stays for the next report."""
        for model_id, n_requests in reported.items():
            self._use_by_model[model_id].n_requests -= n_requests
