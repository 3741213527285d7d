"""Outcome records out, the learner's newest snapshot in: the loop that keeps a gateway replica's router learning."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from neuroforge.contracts.outcomes import LearnerReport, OutcomeRecord, RecordLevel
from neuroforge.contracts.ports import Clock, Learner, Metrics
from neuroforge.errors import NeuroForgeError
from neuroforge.router.clusters import find_clusters
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.pipeline import FAILURES, LearnedRouter
from neuroforge.router.records import make_record

logger = logging.getLogger(__name__)

PERIOD_S = 0.5
POLL_S = 0.1
"""How often the loop looks whether a batch is full."""
BATCH = 512
"""So many records are handed over at once, without waiting for the period's end."""
MAX_BATCH = 1024
YIELD_EVERY = 8
"""Records made before requests get their turn: a yield after each would stretch the work over many more requests."""
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
        learner: Learner,
        router: LearnedRouter,
        replica_id: str,
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
        self._replica_id = replica_id
        self._level = level
        self._load_embedder = load_embedder
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._next_embedder_s = clock()
        self._undelivered: list[OutcomeRecord] = []
        """The batch on its way; the learner takes each record once, so it may be handed over again."""
        self._n_dropped = 0
        """Not told to the learner yet."""
        self._n_tries = 0
        self._known_bad = 0
        """Version of a snapshot that could not be used: it is not asked for again."""

    async def run(self) -> None:
        """Exchange for ever; when cancelled, hand over what is left, for a limited time."""
        try:
            while True:
                await self._equip()
                await self._try_once()
                due_s = self._clock() + PERIOD_S
                while len(self._router.buffer) < BATCH and self._clock() < due_s:
                    await self._sleep(POLL_S)
        finally:
            await self._drain()

    async def once(self) -> None:
        """Hand over one batch and take what is new.

        Raises:
            NeuroForgeError: The learner's; the batch waits for the next try, of the last one it is lost and counted.
        """
        if not self._undelivered:
            await self._fill_batch()
        n_new = self._router.buffer.take_dropped()
        if n_new:
            self._metrics.count(DROPPED, n_new)
            self._n_dropped += n_new
        clusters = await self._find_clusters()
        version, fit_id = self._router.known
        report = LearnerReport(
            replica_id=self._replica_id,
            records=tuple(self._undelivered),
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
                self._undelivered, self._n_tries = [], 0
            raise
        self._undelivered, self._n_dropped, self._n_tries = [], 0, 0
        if reply.snapshot is not None:
            try:
                await asyncio.to_thread(self._router.take, reply.snapshot)
            except NeuroForgeError:
                self._known_bad = reply.snapshot.version
                raise

    async def _find_clusters(self) -> bytes | None:
        """Kinds of this replica's requests. Where the learner does not get them, a later sample gives others."""
        taken = self._router.take_sample()
        found = None if taken is None else await asyncio.to_thread(find_clusters, *taken)
        return None if found is None else found.to_bytes()

    async def _fill_batch(self) -> None:
        buffer = self._router.buffer
        while len(self._undelivered) < MAX_BATCH and len(buffer):
            (finished,) = buffer.take(1)
            self._undelivered.append(make_record(self._router.describe(finished), self._level))
            if len(self._undelivered) % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while self._undelivered or len(self._router.buffer):
                    await self.once()
        except (NeuroForgeError, TimeoutError) as error:
            n_lost = len(self._undelivered) + len(self._router.buffer)
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
        if self._router.has_embedder or self._clock() < self._next_embedder_s:
            return
        self._next_embedder_s = self._clock() + EMBEDDER_RETRY_S
        try:
            await asyncio.to_thread(self._equip_now)
        except (NeuroForgeError, OSError) as error:
            self._metrics.count(FAILURES, tags={"kind": type(error).__name__})
            logger.warning("no learned routing until its embedder is here", extra={"error": str(error)})

    def _equip_now(self) -> None:
        self._router.equip(self._load_embedder())
