"""items.jsonl of an experiment's directory -> its items, one at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from neuroforge.errors import DataError

ITEMS_FILE = "items.jsonl"
_NEEDED = ("dataset", "id", "query")


def read_items(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each line of items.jsonl, whole, with the item that it holds.

    Raises:
        DataError: It cannot be read; names the line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield line, _read_item(path, number, line)
    except OSError as error:
        raise DataError(f"{path}: the items cannot be read: {error.strerror}") from error


def _read_item(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        item = orjson.loads(line)
    except ValueError as error:
        raise DataError(f"{path}: line {number} is not JSON: {error}") from error
    if not isinstance(item, dict):
        raise DataError(f"{path}: line {number} is no item but a {type(item).__name__}")
    if missing := [name for name in _NEEDED if name not in item]:
        raise DataError(f"{path}: line {number} is no item: it lacks {', '.join(missing)}")
    return item
