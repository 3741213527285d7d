"""Outcome records out, the learner's newest snapshot in: the loop that keeps a gateway replica's router learning."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from neuroforge.contracts.outcomes import RecordLevel
from neuroforge.contracts.ports import Clock, Metrics
from neuroforge.errors import NeuroForgeError
from neuroforge.router.clusters import find_clusters
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.learner_input import LearnerReport, OutcomeTaker
from neuroforge.router.pack import RowPacker
from neuroforge.router.pipeline import FAILURES, LearnedRouter
from neuroforge.storage.outcome_rows import OutcomeRow

logger = logging.getLogger(__name__)

PERIOD_S = 0.5
POLL_S = 0.1
"""How often the loop looks whether a batch is full."""
BATCH = 512
"""So many records are handed over at once, without waiting for the period's end."""
EXCHANGE_TIMEOUT_S = 10.0
DRAIN_TIMEOUT_S = 3.0
MAX_TRIES = 30
"""A batch that the learner refuses so often is given up, or it would hold up all that come after it."""
EMBEDDER_RETRY_S = 60.0
DROPPED = "neuroforge_router_records_dropped_total"
EXCHANGE_FAILURES = "neuroforge_router_exchange_failures_total"


class RouterExchange:
    """Runs beside the requests, in their event loop: what takes long happens in a thread, what is many in batches."""

    def __init__(
        self,
        learner: OutcomeTaker,
        router: LearnedRouter,
        level: RecordLevel,
        load_embedder: Callable[[], StaticEmbedder],
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` is monotonic; `load_embedder` raises a NeuroForgeError while the files are not there."""
        self._learner = learner
        self._router = router
        self._load_embedder = load_embedder
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._packer = RowPacker(router, level, metrics)
        self._next_embedder_s = clock()
        self._undelivered: tuple[OutcomeRow, ...] = ()
        """The batch on its way; the learner takes each outcome once, so it may be handed over again."""
        self._n_dropped = 0
        """Not told to the learner yet."""
        self._n_tries = 0
        self._known_bad = 0
        """Version of a snapshot that could not be used: it is not asked for again."""

    async def run(self) -> None:
        """Exchange for ever; when cancelled, hand over what is left, for a limited time."""
        self._packer.start()
        try:
            while True:
                await self._equip()
                await self._try_once()
                due_s = self._clock() + PERIOD_S
                while len(self._packer) < BATCH and self._clock() < due_s:
                    await self._sleep(POLL_S)
        finally:
            self._packer.stop()
            await self._drain()

    async def once(self) -> None:
        """Hand over one batch and take what is new.

        Raises:
            NeuroForgeError: The learner's; the batch waits for the next try, of the last one it is lost and counted.
        """
        if not self._undelivered:
            self._undelivered = await self._packer.take()
        n_new = self._router.buffer.take_dropped()
        if n_new:
            self._metrics.count(DROPPED, n_new)
            self._n_dropped += n_new
        clusters = await self._find_clusters()
        version, fit_id = self._router.knowledge.known
        report = LearnerReport(
            rows=self._undelivered,
            n_dropped=self._n_dropped,
            known_version=max(version, self._known_bad),
            known_fit=fit_id,
            clusters=clusters,
        )
        self._n_tries += 1
        try:
            async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
                reply = await self._learner.exchange(report)
        except Exception:
            if self._n_tries >= MAX_TRIES:
                self._router.buffer.lose(len(self._undelivered))
                self._undelivered, self._n_tries = (), 0
            raise
        self._undelivered, self._n_dropped, self._n_tries = (), 0, 0
        if reply.snapshot is not None:
            try:
                await asyncio.to_thread(self._router.knowledge.take, reply.snapshot)
            except NeuroForgeError:
                self._known_bad = reply.snapshot.version
                raise

    async def _find_clusters(self) -> bytes | None:
        """Kinds of this replica's requests. Where the learner does not get them, a later sample gives others."""
        taken = self._router.knowledge.take_sample()
        found = None if taken is None else await asyncio.to_thread(find_clusters, *taken)
        return None if found is None else found.to_bytes()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while self._undelivered or len(self._packer):
                    await self.once()
        except (NeuroForgeError, TimeoutError) as error:
            n_lost = len(self._undelivered) + len(self._packer)
            self._metrics.count(DROPPED, n_lost)
            logger.warning("outcomes were lost at the end", extra={"n_lost": n_lost, "kind": type(error).__name__})

    async def _try_once(self) -> None:
        try:
            await self.once()
        except Exception as error:  # noqa: BLE001 - this loop must survive whatever the learner or the handle raises
            self._metrics.count(EXCHANGE_FAILURES, tags={"kind": type(error).__name__})
            logger.warning(
                "exchange with the learner failed", extra={"kind": type(error).__name__, "error": str(error)}
            )

    async def _equip(self) -> None:
        if self._router.knowledge.has_embedder or self._clock() < self._next_embedder_s:
            return
        self._next_embedder_s = self._clock() + EMBEDDER_RETRY_S
        try:
            await asyncio.to_thread(self._equip_now)
        except (NeuroForgeError, OSError) as error:
            self._metrics.count(FAILURES, tags={"kind": type(error).__name__})
            logger.warning("no learned routing until its embedder is here", extra={"error": str(error)})

    def _equip_now(self) -> None:
        self._router.knowledge.equip(self._load_embedder())
