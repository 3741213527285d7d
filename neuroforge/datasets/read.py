"""JSONL, CSV or Parquet -> (row number, row) pairs; nothing is interpreted here."""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from neuroforge.errors import DataError

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".parquet")
NumberedRow = tuple[int, dict[str, Any] | str]
"""Line in the file (Parquet: row, from 1), and the row or what is wrong with it."""
_LIST_COLUMNS = ("choices", "reference")


def read_rows(path: Path) -> Iterator[NumberedRow]:
    """Yield the rows; a row that cannot be read comes as the text of its error.

    CSV: an empty cell is a missing value; a list is written as JSON (`["red", "blue"]`).

    Raises:
        DataError: No such file, another format, or not readable at all.
    """
    kind = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if kind is None:
        raise DataError(f"{path}: the name must end in {', '.join(SUFFIXES)}")
    try:
        if kind == ".parquet":
            yield from _parquet(path)
        elif kind == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from _csv(file, path)
        elif kind == ".jsonl.gz":
            with gzip.open(path, "rb") as packed:
                yield from _jsonl(packed)
        else:
            with path.open("rb") as plain:
                yield from _jsonl(plain)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start})") from error


def _jsonl(file: Iterable[bytes]) -> Iterator[NumberedRow]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except UnicodeDecodeError as error:
            yield number, f"not UTF-8 (byte {error.start} of the line)"
        except json.JSONDecodeError as error:
            yield number, f"not JSON: {error.msg} (column {error.colno})"
        else:
            yield number, row if isinstance(row, dict) else f"a JSON object is wanted, not {type(row).__name__}"


def _csv(file: IO[str], path: Path) -> Iterator[NumberedRow]:
    reader = csv.DictReader(file, strict=True)
    try:
        for row in reader:
            yield reader.line_num, _checked_csv(row)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from error


def _checked_csv(row: dict[Any, Any]) -> dict[str, Any] | str:
    if None in row:
        return f"{len(row[None])} more cells than the header has columns"
    if None in row.values():
        return "fewer cells than the header has columns"
    found: dict[str, Any] = {name: cell for name, cell in row.items() if cell != ""}
    for name in _LIST_COLUMNS:
        if str(found.get(name, "")).lstrip().startswith("["):
            try:
                found[name] = json.loads(found[name])
            except json.JSONDecodeError as error:
                return f"column {name}: a list that is not JSON: {error.msg}"
    return found


def _parquet(path: Path) -> Iterator[NumberedRow]:
    import pyarrow as pa  # here: half a second that readers of other formats need not wait
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, {name: value for name, value in row.items() if value is not None}
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a Parquet file, or damaged after row {number}: {error}") from error
