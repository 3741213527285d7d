"""Items <-> JSONL bytes, which their SHA-256 names."""

import hashlib
from collections.abc import Iterable

from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.errors import DataError


def dump_items(items: Iterable[DatasetItem]) -> bytes:
    """Return one JSON object a line; the same items in the same order give the same bytes."""
    return b"".join(item.model_dump_json(exclude_defaults=True).encode() + b"\n" for item in items)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 under which a file of items is kept."""
    return hashlib.sha256(content).hexdigest()


def parse_items(content: bytes, name: str) -> tuple[DatasetItem, ...]:
    """Return the items of a file that `dump_items` made.

    Args:
        name: What to call the file in messages.
    Raises:
        DataError: Names the line that is no item, or an id that stands twice.
    """
    items: dict[tuple[str, str], DatasetItem] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            item = DatasetItem.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            column = ".".join(map(str, first["loc"])) or "item"
            raise DataError(f"{name}: line {number}, {column}: {first['msg']}") from error
        if (item.dataset, item.id) in items:
            raise DataError(f"{name}: line {number}: item {item.id!r} stands twice")
        items[item.dataset, item.id] = item
    return tuple(items.values())
