"""What was measured, on disk: a log of ItemResults, so that no call that was answered is ever made again."""

from pathlib import Path

from pydantic import ValidationError

from neuroforge.contracts.ports import Clock
from neuroforge.errors import DataError
from neuroforge.prompts.ask import ItemResult
from neuroforge.storage.append_log import AppendLog

RESULTS = "results.jsonl"


class ResultLog:
    """Results by key; one process writes at a time."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """`clock` is monotonic.

        Raises:
            ConflictError: Another process writes it.
            DataError: A line is none of ours.
            DiskFull: It cannot be made.
        """
        self._results = read_results(path)
        self._log = AppendLog(path, clock)

    def find(self, key: str) -> ItemResult | None:
        """Return what is known; a failed call is not."""
        found = self._results.get(key)
        return None if found is None or found.is_failed else found

    def add(self, result: ItemResult) -> None:
        """Keep it. Raises DiskFull: it is not kept; what was before is whole."""
        self._log.append(result.model_dump_json(exclude_defaults=True).encode())
        self._results[result.key] = result

    def close(self) -> None:
        """Let other processes write."""
        self._log.close()


def read_results(path: Path) -> dict[str, ItemResult]:
    """Return the last result of each key; a torn last line is left out.

    Raises:
        DataError: Names the line that is no result.
    """
    found: dict[str, ItemResult] = {}
    if not path.exists():
        return found
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            result = ItemResult.model_validate_json(line)
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise DataError(f"{path}: line {number} is no result ({what}); use another directory") from error
        found[result.key] = result
    return found
