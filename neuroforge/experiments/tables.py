"""matrix.parquet, which cells there are; and cells.parquet, what became of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from neuroforge.contracts.analysis import CELL_COLUMNS
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import CellReply, CellScore, Variant
from neuroforge.errors import DataError
from neuroforge.experiments.matrix import MatrixCell
from neuroforge.scoring.comparable import comparable_answer

MATRIX, CELLS = "matrix.parquet", "cells.parquet"
_N_AT_ONCE = 2048
_INTEGERS = {"repeat": pa.int32(), "n_prompt_tokens": pa.int64(), "n_completion_tokens": pa.int64()}
_NUMBERS = ("score", "ttft_s", "latency_s", "cost_usd", "at_s")


@dataclass(frozen=True)
class PlacedCell:
    """One row of matrix.parquet."""

    cell_id: str
    cache_key: str
    item_index: int
    variant_index: int
    repeat: int
    is_cached: bool
    """Whether its reply was in the cache when the run was set up."""


_MATRIX_SCHEMA = pa.schema(
    [
        ("cell_id", pa.string()),
        ("cache_key", pa.string()),
        ("item_index", pa.int32()),
        ("variant_index", pa.int32()),
        ("repeat", pa.int32()),
        ("is_cached", pa.bool_()),
    ]
)


def _cell_type(column: str) -> Any:
    if column == "is_cached":
        return pa.bool_()
    return pa.float64() if column in _NUMBERS else _INTEGERS.get(column, pa.string())


CELL_SCHEMA = pa.schema([(column, _cell_type(column)) for column in CELL_COLUMNS])
"""Of cells.parquet."""


class TableWriter:
    """Writes a Parquet file part by part; it is there when its block ended well, and not otherwise."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._schema = schema
        self._writer = pq.ParquetWriter(self._partial, schema)

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add a row group."""
        if rows:
            self._writer.write_table(pa.Table.from_pylist(list(rows), schema=self._schema))

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if error is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)


def matrix_writer(directory: Path) -> TableWriter:
    """Return what writes matrix.parquet."""
    return TableWriter(directory / MATRIX, _MATRIX_SCHEMA)


def matrix_row(cell: MatrixCell, is_cached: bool) -> dict[str, Any]:
    """Return the row of a cell."""
    return {
        "cell_id": cell.request.cell.id,
        "cache_key": cell.request.cache_key,
        "item_index": cell.item_index,
        "variant_index": cell.variant_index,
        "repeat": cell.request.cell.repeat,
        "is_cached": is_cached,
    }


def read_matrix(directory: Path) -> Iterator[list[PlacedCell]]:
    """Yield all cells, some at a time, in the order of the matrix.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = directory / MATRIX
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_N_AT_ONCE):
                yield [PlacedCell(**row) for row in batch.to_pylist()]
    except (pa.ArrowException, FileNotFoundError) as error:
        raise DataError(f"{path}: cannot be read; set the experiment up again") from error


def cell_row(
    cell: PlacedCell, item: DatasetItem, variant: Variant, reply: CellReply, score: CellScore | None
) -> dict[str, Any]:
    """Return the row of cells.parquet."""
    found = score.score if score is not None else None
    return {
        "cell_id": cell.cell_id,
        "item_id": item.id,
        "dataset": item.dataset,
        "task": item.task,
        "group": item.group,
        "paraphrase_of": item.paraphrase_of,
        "variant_id": variant.id,
        "model_id": variant.model_id,
        "prompt": variant.prompt,
        "decoding": variant.decoding,
        "repeat": cell.repeat,
        "scorer": score.scorer if score is not None else item.scorer,
        "score": found.value if found is not None else None,
        "score_reason": found.reason if found is not None else reply.error_code or "not scored yet",
        "answer": comparable_answer(item, found.answer) if found is not None else None,
        **{
            name: getattr(reply, name)
            for name in (
                "reply",
                "finish_reason",
                "n_prompt_tokens",
                "n_completion_tokens",
                "ttft_s",
                "latency_s",
                "cost_usd",
                "error_code",
                "error",
                "is_cached",
                "at_s",
            )
        },
    }
