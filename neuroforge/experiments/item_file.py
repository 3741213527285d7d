"""The items of an experiment, in its directory: written once, read one at a time."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.scores import ScorerName
from neuroforge.errors import DataError

NAME = "items.jsonl"
_KEPT = 1024
"""Items in memory at once."""


class ItemFile:
    """Items by their place; only where they begin lies in memory."""

    def __init__(self, directory: Path) -> None:
        """Raises:
        DataError: There are none.
        """
        self.path = directory / NAME
        try:
            self._file = self.path.open("rb")
        except FileNotFoundError as error:
            raise DataError(f"{self.path} is missing: the experiment has no items") from error
        self._offsets = [0]
        for line in self._file:
            self._offsets.append(self._offsets[-1] + len(line))
        self._read = lru_cache(maxsize=_KEPT)(self._read_item)
        if len(self) == 0:
            self.close()
            raise DataError("no items are left: the datasets are empty, or the split or the limits leave none")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> DatasetItem:
        return self._read(index)

    def __iter__(self) -> Iterator[DatasetItem]:
        return (self._read_item(index) for index in range(len(self)))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _read_item(self, index: int) -> DatasetItem:
        self._file.seek(self._offsets[index])
        try:
            return DatasetItem.model_validate_json(self._file.readline())
        except ValidationError as error:
            raise DataError(f"{self.path}: line {index + 1} is no item") from error


def write_items(items: Iterable[DatasetItem], directory: Path, scorer: ScorerName | None) -> None:
    """Write them in one step, each with the scorer that the experiment demands.

    Raises:
        DataError: An item stands twice, or cannot be scored so.
    """
    seen: set[tuple[str, str]] = set()
    partial = directory / f".{NAME}.partial"
    with partial.open("wb") as file:
        for item in items:
            if (item.dataset, item.id) in seen:
                raise DataError(f"item {item.id!r} of {item.dataset} stands twice")
            seen.add((item.dataset, item.id))
            kept = item if scorer in (None, item.scorer) else _scored_by(item, scorer)
            file.write(kept.model_dump_json(exclude_defaults=True).encode() + b"\n")
    partial.replace(directory / NAME)


def _scored_by(item: DatasetItem, scorer: ScorerName | None) -> DatasetItem:
    try:
        return DatasetItem.model_validate({**item.model_dump(), "scorer": scorer})
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise DataError(f"item {item.id!r} of {item.dataset} cannot be scored by {scorer!r}: {what}") from error
