"""Batches of a lane -> a JSONL file -> batches, one at a time: what is to be asked never lies in memory as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from neuroforge.contracts.experiments import CellBatch
from neuroforge.errors import DataError

FOLDER = "queue"


@dataclass
class QueueWriter:
    """Writes one lane's file; made anew by each run."""

    path: Path
    n_batches: int = 0
    _file: IO[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("wb")

    def append(self, batch: CellBatch) -> None:
        """Add one batch."""
        self._file.write(batch.model_dump_json().encode() + b"\n")
        self.n_batches += 1

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def batch_places(path: Path) -> Iterator[int]:
    """Yield where each batch begins."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            yield offset
            offset += len(line)


def read_batch(path: Path, offset: int) -> CellBatch:
    """Return the batch that begins there.

    Raises:
        DataError: There is none.
    """
    with path.open("rb") as file:
        file.seek(offset)
        line = file.readline()
    try:
        return CellBatch.model_validate_json(line)
    except ValidationError as error:
        raise DataError(f"{path}: no batch begins at byte {offset}; set the experiment up again") from error
