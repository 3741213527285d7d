"""cells.parquet -> arrays: one row a cell, and matrices of items x variants in which NaN says that nothing is known."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from neuroforge.contracts.analysis import CELL_COLUMNS
from neuroforge.errors import DataError
from neuroforge.experiments.clusters import find_clusters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_READ = tuple(name for name in CELL_COLUMNS if name not in ("reply", "answer", "error", "at_s"))
"""Texts stay on disk: of 100,000 cells they are most of the file, and only the report shows a few."""


@dataclass(frozen=True)
class Item:
    """A question, without its text."""

    dataset: str
    id: str
    task: str | None


@dataclass(frozen=True)
class CellTable:
    """Cells as columns; `scores`, `ttft_s`, `latency_s`, `tokens_per_s` are NaN where there is no value."""

    variant_ids: tuple[str, ...]
    items: tuple[Item, ...]
    """Sorted by dataset and id."""
    clusters: Ints
    """(n_items,): items of one cluster share a passage or are paraphrases of each other: not independent."""
    paraphrases: Ints
    """(n_items,): items with the same number ask the same thing in other words."""
    cell_ids: tuple[str, ...]
    item_of: Ints
    """(n_cells,) index into `items`."""
    variant_of: Ints
    """(n_cells,) index into `variant_ids`."""
    scores: Floats
    is_error: NDArray[np.bool_]
    error_codes: tuple[str | None, ...]
    score_reasons: tuple[str | None, ...]
    answer_keys: Ints
    """(n_cells,): equal numbers are equal answers (what the scorer read, else the whole reply; case and spaces aside);
    -1 where the call failed."""
    ttft_s: Floats
    """Of calls that were made: a reply from the cache has no speed."""
    latency_s: Floats
    tokens_per_s: Floats
    """Completion tokens over latency, so that it holds the wait for the first token."""
    costs_usd: Floats
    """Of the call; NaN where it failed."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Kinds of task that items name, sorted."""
        return tuple(sorted({item.task for item in self.items if item.task is not None}))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets of the items, sorted."""
        return tuple(sorted({item.dataset for item in self.items}))

    def item_means(self, values: Floats) -> Floats:
        """Return (n_items, n_variants): mean of (n_cells,) values over a variant's repeats; NaN where all are NaN."""
        shape = (len(self.items), len(self.variant_ids))
        flat = self.item_of * shape[1] + self.variant_of
        is_known = ~np.isnan(values)
        counts = np.bincount(flat[is_known], minlength=shape[0] * shape[1])
        sums = np.bincount(flat[is_known], weights=values[is_known], minlength=shape[0] * shape[1])
        means = np.full(len(counts), np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return means.reshape(shape)

    def select_items(self, dataset: str | None = None, task: str | None = None) -> NDArray[np.bool_]:
        """Return (n_items,): whether an item is of that dataset and task; None = any."""
        return np.array(
            [
                (dataset is None or item.dataset == dataset) and (task is None or item.task == task)
                for item in self.items
            ],
            dtype=np.bool_,
        )


def read_cells(path: Path, variant_ids: Sequence[str]) -> CellTable:
    """Return the cells of these variants, columns of the matrices in the order given.

    Raises:
        DataError: The file cannot be read, lacks a column, holds no cell, one of a variant that is not named, or two of
            the same id.
    """
    columns = _read_columns(path)
    known = {variant_id: index for index, variant_id in enumerate(variant_ids)}
    if unknown := next((one for one in columns["variant_id"] if one not in known), None):
        raise DataError(f"{path}: the variant {unknown!r} is not of this experiment; it has {', '.join(variant_ids)}")
    if len(set(columns["cell_id"])) < len(columns["cell_id"]):
        raise DataError(f"{path}: a cell stands twice; compact the journal again")
    keys: list[tuple[str, str]] = list(zip(columns["dataset"], columns["item_id"], strict=True))
    first_row = {key: row for row, key in reversed(list(enumerate(keys)))}
    ordered = sorted(first_row)
    position = {key: index for index, key in enumerate(ordered)}
    rows = [first_row[key] for key in ordered]
    roots = [columns["paraphrase_of"][row] or columns["item_id"][row] for row in rows]
    datasets = [dataset for dataset, _ in ordered]
    paraphrases = find_clusters(list(zip(datasets, roots, strict=True)))
    is_error = np.array([code is not None for code in columns["error_code"]], dtype=np.bool_)
    return CellTable(
        variant_ids=tuple(variant_ids),
        items=tuple(
            Item(dataset, item_id, columns["task"][row]) for (dataset, item_id), row in zip(ordered, rows, strict=True)
        ),
        clusters=find_clusters(
            list(zip(datasets, roots, strict=True)),
            [
                None if columns["group"][row] is None else (columns["dataset"][row], columns["group"][row])
                for row in rows
            ],
        ),
        paraphrases=paraphrases,
        cell_ids=tuple(columns["cell_id"]),
        item_of=np.array([position[key] for key in keys], dtype=np.int64),
        variant_of=np.array([known[one] for one in columns["variant_id"]], dtype=np.int64),
        scores=np.where(is_error, np.nan, _floats(columns["score"])),
        is_error=is_error,
        error_codes=tuple(columns["error_code"]),
        score_reasons=tuple(columns["score_reason"]),
        answer_keys=_read_answer_keys(path),
        **_speeds(columns, is_error),
    )


def read_texts(path: Path, cell_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return reply, error and finish_reason of these cells by cell id, without loading the others' texts.

    Raises:
        DataError: The file cannot be read.
    """
    wanted = pa.array(cell_ids, pa.string())
    found: dict[str, dict[str, Any]] = {}
    try:
        with pq.ParquetFile(path) as file:
            names = ["cell_id", "reply", "answer", "score_reason", "error", "finish_reason"]
            for batch in file.iter_batches(batch_size=4096, columns=names):
                kept = batch.filter(pc.is_in(batch.column("cell_id"), value_set=wanted))
                found.update({row["cell_id"]: row for row in kept.to_pylist()})
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable table of cells: {error}") from error
    return found


def _read_columns(path: Path) -> dict[str, list[Any]]:
    try:
        schema = set(pq.read_schema(path).names)
        if missing := [name for name in CELL_COLUMNS if name not in schema]:
            raise DataError(f"{path}: the columns {', '.join(missing)} are missing")
        table = pq.read_table(path, columns=list(_READ))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable table of cells: {error}") from error
    if not table.num_rows:
        raise DataError(f"{path}: no cell has been done yet; run the experiment first")
    return {name: table.column(name).to_pylist() for name in _READ}


def _read_answer_keys(path: Path) -> Ints:
    keys: list[int] = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=4096, columns=["reply", "answer"]):
            texts = zip(batch.column("answer").to_pylist(), batch.column("reply").to_pylist(), strict=True)
            keys.extend(_key(reply if answer is None else answer) for answer, reply in texts)
    return np.array(keys, dtype=np.int64)


def _key(text: str | None) -> int:
    """Return 62 bits of a hash, so that no text need be kept."""
    if text is None:
        return -1
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest()) >> 2


def _speeds(columns: dict[str, list[Any]], is_error: NDArray[np.bool_]) -> dict[str, Floats]:
    is_timed = ~is_error & ~np.array(columns["is_cached"], dtype=np.bool_)
    latency_s = np.where(is_timed, _floats(columns["latency_s"]), np.nan)
    tokens = _floats(columns["n_completion_tokens"])
    tokens_per_s = np.full(len(tokens), np.nan)
    np.divide(tokens, latency_s, out=tokens_per_s, where=(latency_s > 0) & (tokens > 0))
    return {
        "ttft_s": np.where(is_timed, _floats(columns["ttft_s"]), np.nan),
        "latency_s": latency_s,
        "tokens_per_s": tokens_per_s,
        "costs_usd": np.where(is_error, np.nan, _floats(columns["cost_usd"])),
    }


def _floats(values: list[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
