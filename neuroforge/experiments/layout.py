"""Matrix -> matrix.parquet and the queues of what is still to be asked, block by block."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path

from neuroforge.contracts.experiment_run import ModelFacts, PlannedLane
from neuroforge.contracts.experiments import CellBatch, ExperimentConfig
from neuroforge.experiments.batch import IntelligentRequestBatcher
from neuroforge.experiments.cache import ReplyCache
from neuroforge.experiments.estimate import Estimator
from neuroforge.experiments.facts import lane_model
from neuroforge.experiments.item_file import ItemFile
from neuroforge.experiments.journal import JournalIndex
from neuroforge.experiments.matrix import Matrix, MatrixCell
from neuroforge.experiments.queue import FOLDER, QueueWriter
from neuroforge.experiments.tables import matrix_row, matrix_writer

ROUNDS_A_BATCH, LEAST_A_BATCH, MOST_A_BATCH = 4, 8, 64


@dataclass
class Layout:
    """What a matrix comes to."""

    n_cells: int = 0
    n_settled: int = 0
    n_cached: int = 0
    lanes: tuple[PlannedLane, ...] = ()
    estimator: Estimator = field(default_factory=Estimator)

    def count(self, cells: Sequence[tuple[MatrixCell, bool, bool]]) -> None:
        """Take over cells with whether they are settled, and whether the cache knows them."""
        self.n_cells += len(cells)
        self.n_settled += sum(is_settled for _, is_settled, _ in cells)
        self.n_cached += sum(is_known and not is_settled for _, is_settled, is_known in cells)


@dataclass(frozen=True)
class CacheWindow:
    """The cache, as far back as texts may be kept."""

    cache: ReplyCache
    since_s: float

    @staticmethod
    def of(cache: ReplyCache, retention_s: float, now_s: float | None = None) -> "CacheWindow":
        """Return the window that ends now."""
        return CacheWindow(cache, (time.time() if now_s is None else now_s) - retention_s)

    def known(self, cells: Sequence[MatrixCell]) -> set[str]:
        """Return the keys that have a reply."""
        return self.cache.known(list({cell.request.cache_key for cell in cells}), self.since_s)


def is_in_turn(config: ExperimentConfig) -> bool:
    """Whether models take turns at blocks of items instead of running beside each other.

    Where speed is measured, since each would measure the others' load; and under a budget, so that what it buys are
    whole rows, which can be compared.
    """
    return is_exclusive(config) or any(value is not None for _, value in config.budget)


def is_exclusive(config: ExperimentConfig) -> bool:
    """Whether only one model may be asked at a time."""
    return "speed" in config.metrics


def reads_cache(config: ExperimentConfig) -> bool:
    """Whether kept replies may stand for calls: they have no speed that could be measured."""
    return config.use_cache and not is_exclusive(config)


def lay_out(matrix: Matrix, items: ItemFile, directory: Path, index: JournalIndex, cache: CacheWindow | None) -> Layout:
    """Write both; return counts, lanes and what the estimate needs. Takes a fraction of a millisecond a cell.

    Args:
        cache: None = nothing is read from it.
    Raises:
        DataError: A template cannot be filled from an item.
    """
    layout = Layout()
    batchers = {model.model_id: _batcher_for(model, matrix.config.concurrency) for model in matrix.models}
    with (
        closing(_Queues(directory, matrix.models, is_in_turn(matrix.config))) as queues,
        matrix_writer(directory) as table,
    ):
        for block in matrix.blocks(items):
            known = cache.known(block) if cache is not None else set()
            kept = [(cell, index.is_settled(cell.request.cell.id), cell.request.cache_key in known) for cell in block]
            table.append([matrix_row(cell, is_known and not is_settled) for cell, is_settled, is_known in kept])
            todo = [cell.request for cell, is_settled, is_known in kept if not is_settled and not is_known]
            layout.count(kept)
            layout.estimator.add(todo)
            by_model = [
                batcher.batch_requests_intelligently([one for one in todo if one.cell.model_id == model_id])
                for model_id, batcher in batchers.items()
            ]
            for batch in _ordered(by_model, is_exclusive(matrix.config)):
                queues.append(batch)
    layout.lanes = queues.lanes
    return layout


def _ordered(by_model: list[list[CellBatch]], is_one_after_another: bool) -> Iterator[CellBatch]:
    """Model after model, or one batch of each in turn: then all are asked side by side out of one queue."""
    if is_one_after_another:
        yield from chain.from_iterable(by_model)
    else:
        yield from (batch for row in zip_longest(*by_model) for batch in row if batch is not None)


def _batcher_for(model: ModelFacts, concurrency: int | None) -> IntelligentRequestBatcher:
    """A few rounds of the model's slots a batch: replies are told of when their batch is whole."""
    n_rounds = ROUNDS_A_BATCH * lane_model(model, concurrency).n_slots_max
    return IntelligentRequestBatcher(max_requests=min(MOST_A_BATCH, max(LEAST_A_BATCH, n_rounds)))


class _Queues:
    """One file a lane; a lane is a model, or all of them where they take turns."""

    def __init__(self, directory: Path, models: Sequence[ModelFacts], is_shared: bool) -> None:
        folder = directory / FOLDER
        for old in folder.glob("*.jsonl"):
            old.unlink()
        ids = tuple(model.model_id for model in models)
        self._model_ids = [ids] if is_shared else [(one,) for one in ids]
        self._writers = [QueueWriter(folder / f"{place:03d}.jsonl") for place in range(len(self._model_ids))]
        self._n_cells = [0] * len(self._writers)
        self._place_by_model = {one: place for place, members in enumerate(self._model_ids) for one in members}

    def append(self, batch: CellBatch) -> None:
        place = self._place_by_model[batch.model_id]
        self._writers[place].append(batch)
        self._n_cells[place] += len(batch.requests)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    @property
    def lanes(self) -> tuple[PlannedLane, ...]:
        return tuple(
            PlannedLane(model_ids=ids, queue=str(writer.path), n_batches=writer.n_batches, n_cells=n_cells)
            for ids, writer, n_cells in zip(self._model_ids, self._writers, self._n_cells, strict=True)
            if n_cells
        )
