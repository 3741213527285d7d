"""File -> raw rows, one at a time: Parquet by batches, JSON Lines by lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from neuroforge.errors import DataError

BATCH_ROWS = 4_096


class RowError(NamedTuple):
    """What is wrong with one row; rows count from 1, lines that are blank count too."""

    row: int
    column: str
    reason: str


class RawRow(NamedTuple):
    """Values by column as the file has them; a Parquet map is still a list of pairs."""

    row: int
    values: dict[str, Any]


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow | RowError]:
    """Yield the rows, or why one cannot be read; `columns` are all that is read of a Parquet file.

    Raises:
        DataError: The file is missing, or is no Parquet or text file at all.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return _read_parquet(path, columns) if path.suffix.lower() in (".parquet", ".pq") else _read_lines(path)


def _read_lines(path: Path) -> Iterator[RawRow | RowError]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                values = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield RowError(number, "", f"not JSON: {error}")
                continue
            if isinstance(values, dict):
                yield RawRow(number, values)
            else:
                yield RowError(number, "", f"not a JSON object but {type(values).__name__}")


def _read_parquet(path: Path, columns: Sequence[str]) -> Iterator[RawRow | RowError]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            wanted = [column for column in columns if column in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    yield RawRow(number, values)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file after {number} good rows: {error}") from error
