"""One run's replies: counted, kept for reuse, scored; from earlier runs, from the cache, from the models."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.contracts.experiments import CellReply
from neuroforge.contracts.ports import Clock
from neuroforge.experiments.cache import ReplyCache
from neuroforge.experiments.item_file import ItemFile
from neuroforge.experiments.journal import JournalIndex, ReplyJournal, next_run_number
from neuroforge.experiments.progress import ProgressTracker
from neuroforge.experiments.score import Scored, ScoreDesk, Scorer
from neuroforge.experiments.scores import ScoreIndex, ScoreLog, scorers_of
from neuroforge.experiments.tables import PlacedCell, read_matrix


class RunSession:
    """What happens to each reply. `close` after use."""

    def __init__(
        self, plan: ExperimentPlan, tracker: ProgressTracker, cache: ReplyCache | None, scorer: Scorer, now: Clock
    ) -> None:
        """Raises:
        ConflictError: Another process writes scores.
        """
        self._plan = plan
        self._directory = Path(plan.directory)
        self._tracker = tracker
        self._cache = cache
        self._now = now
        self._items = ItemFile(self._directory)
        self._log = ScoreLog(self._directory)
        self._desk = ScoreDesk(scorer, self._items, self._log, tracker.count_score, now)
        self._place_by_cell: dict[str, int] = {}
        self.given_up: dict[str, str] = {}
        """Models that were not asked any more, with why."""

    async def resume(self) -> None:
        """Count what earlier runs found, and let the cache have it.

        A failure that may pass is not counted where its cell is asked again; a rescore asks nothing, and counts it.
        """
        is_all = not self._plan.lanes and self._cache is None
        index = await asyncio.to_thread(JournalIndex, self._directory)
        scores = await asyncio.to_thread(ScoreIndex, self._directory)
        for cells in read_matrix(self._directory):
            for cell in cells:
                self._place_by_cell[cell.cell_id] = cell.item_index * len(self._plan.variants) + cell.variant_index
            settled = list(index.read([cell.cell_id for cell in cells if is_all or index.is_settled(cell.cell_id)]))
            self._tracker.count_earlier(settled)
            if self._cache is not None:
                self._cache.put(settled)
            self._count_scores(settled, scores)
            await asyncio.sleep(0)

    async def answer_from_cache(self, since_s: float) -> None:
        """Journal what the setup found in the cache. A reply that was purged since then leaves its cell open."""
        journal: ReplyJournal | None = None
        try:
            for cells in read_matrix(self._directory):
                replies = self._cached_replies([cell for cell in cells if cell.is_cached], since_s)
                if replies:
                    journal = journal or ReplyJournal(self._directory, f"{next_run_number(self._directory):06d}-cache")
                    journal.append(replies)
                    self._tracker.count_new(replies)
                    await self._desk.score([self._placed(reply) for reply in replies])
                await asyncio.sleep(0)
        finally:
            if journal is not None:
                journal.close()

    def take(self, replies: Sequence[CellReply]) -> None:
        """Take over replies that an executor has journalled. Raises what the scorer raised."""
        self._tracker.count_new(replies)
        if self._cache is not None:
            self._cache.put(replies)
        for reply in replies:
            if reply.error is not None and reply.n_attempts == 0:
                self.given_up.setdefault(self._plan.variants[self._placed(reply)[1]].model_id, reply.error)
        self._desk.offer([self._placed(reply) for reply in replies])

    async def score_rest(self) -> None:
        """Score all replies that have no score yet: those for which there was no room, and those of a killed run."""
        await self._desk.finish()
        index = await asyncio.to_thread(JournalIndex, self._directory)
        scores = await asyncio.to_thread(ScoreIndex, self._directory)
        for cells in read_matrix(self._directory):
            left = [cell.cell_id for cell in cells if cell.cell_id not in scores.scored_cells]
            await self._desk.score([self._placed(reply) for reply in index.read(left)])
        await self._desk.finish()

    async def close(self) -> None:
        """Drop what is not scored yet, and let the files go. Twice is as good as once."""
        await self._desk.close()
        self._log.close()
        self._items.close()

    def _cached_replies(self, cells: Sequence[PlacedCell], since_s: float) -> list[CellReply]:
        if self._cache is None or not cells:
            return []
        found = self._cache.find([cell.cache_key for cell in cells], since_s)
        return [
            CellReply(
                **{
                    **dict(found[cell.cache_key]),
                    "cell_id": cell.cell_id,
                    "cache_key": cell.cache_key,
                    "at_s": self._now(),
                }
            )
            for cell in cells
            if cell.cache_key in found
        ]

    def _count_scores(self, replies: Sequence[CellReply], scores: ScoreIndex) -> None:
        placed = [self._placed(reply) for reply in replies]
        wanted = [
            (reply.cell_id, scorers_of(self._items[item_index].scorer, self._plan.config))
            for item_index, _, reply in placed
        ]
        for (_, variant_index, _), score in zip(placed, scores.read(wanted), strict=True):
            if score is not None:
                self._tracker.count_score(Scored(variant_index, score))

    def _placed(self, reply: CellReply) -> tuple[int, int, CellReply]:
        return (*divmod(self._place_by_cell[reply.cell_id], len(self._plan.variants)), reply)
