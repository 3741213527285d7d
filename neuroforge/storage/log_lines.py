"""Lines of an append-only log -> contracts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from neuroforge.contracts.base import Contract
from neuroforge.errors import DataError

C = TypeVar("C", bound=Contract)


@dataclass(frozen=True)
class LineKind(Generic[C]):
    """What the lines of a log are."""

    contract: type[C]
    noun: str
    """For people, such as `answer`."""
    advice: str
    """What to do with a file that holds something else."""

    def read(self, path: Path) -> Iterator[C]:
        """Yield all whole lines; a last one that a killed process left unfinished is none. No file, no lines.

        Raises:
            DataError: As `parse`.
        """
        if path.exists():
            for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
                yield self.parse(path, number, line)

    def parse(self, path: Path, number: int, line: bytes) -> C:
        """Return one line.

        Args:
            number: In the file, from 1.
        Raises:
            DataError: It is none of this kind; names it.
        """
        try:
            return self.contract.model_validate_json(line)
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise DataError(f"{path}: line {number} is no {self.noun} ({what}); {self.advice}") from error
