"""What was measured, on disk: logs of ItemResults, so that no call that was answered is ever made again."""

import os
from pathlib import Path

from neuroforge.contracts.ports import Clock
from neuroforge.errors import DataError, NotFound
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.spend import Spent, spent_on
from neuroforge.storage.append_log import AppendLog, wait_until_free
from neuroforge.storage.log_lines import LineKind

_LINES = LineKind(ItemResult, "result", "use another directory")
RESULTS = "results.jsonl"
"""Of the process that runs the search; `results-<process>.jsonl` are those of workers."""


class ResultLog:
    """Results by key. Each process writes a file of its own, and knows what stands in all that lie beside it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """`clock` is monotonic.

        Raises:
            ConflictError: Another process writes it.
            DataError: A line of it, or of one beside it, is none of ours.
            DiskFull: It cannot be made.
        """
        self.path = path
        self.spent = Spent()
        """On all that stands in the logs, failed calls too."""
        self._results: dict[str, ItemResult] = {}
        self._read_up_to: dict[Path, tuple[int, int]] = {}
        self._log = AppendLog(path, clock)
        try:
            self._read(path)
            self.refresh()
        except DataError:
            self._log.close()
            raise

    @classmethod
    def of_worker(cls, directory: Path, clock: Clock) -> "ResultLog":
        """Open this process's log in the directory of a search that another process runs."""
        return cls(directory / f"results-{os.getpid()}.jsonl", clock)

    def find(self, key: str) -> ItemResult | None:
        """Return what is known; a failed call is not."""
        found = self._results.get(key)
        return None if found is None or found.is_failed else found

    def get(self, key: str) -> ItemResult | None:
        """Return what is known, a failed call too where there is nothing better."""
        return self._results.get(key)

    def last(self, key: str) -> ItemResult:
        """As `get`. Raises NotFound: nothing is known."""
        if key not in self._results:
            raise NotFound(f"{self.path.parent}: no log holds a result {key!r}")
        return self._results[key]

    def add(self, result: ItemResult) -> None:
        """Keep it. Raises DiskFull: it is not kept; what was before is whole."""
        self._log.append(result.model_dump_json(exclude_defaults=True).encode())
        self._take(result)

    def refresh(self) -> tuple[ItemResult, ...]:
        """Take in what other processes have written since, and return it.

        Raises:
            DataError: Names the line that is no result.
        """
        others = sorted(path for path in self.path.parent.glob("results*.jsonl") if path != self.path)
        return tuple(result for path in others for result in self._read(path))

    def wait_for_workers(self) -> None:
        """Return when no worker of an earlier run writes any more; what they have written is then known.

        Raises:
            ConflictError: One still does.
        """
        wait_until_free(self.path.parent.glob("results-*.jsonl"))
        self.refresh()

    def close(self) -> None:
        """Let other processes write."""
        self._log.close()

    def _take(self, result: ItemResult) -> None:
        self.spent = self.spent.plus(spent_on([result]))
        if result.is_failed and self.find(result.key) is not None:
            return
        self._results[result.key] = result

    def _read(self, path: Path) -> list[ItemResult]:
        """Results from where it was read last to its last whole line."""
        offset, n_lines = self._read_up_to.get(path, (0, 0))
        with path.open("rb") as file:
            file.seek(offset)
            whole, end, _ = file.read().rpartition(b"\n")
        found = []
        for number, line in enumerate(whole.split(b"\n") if end else (), start=n_lines + 1):
            found.append(_LINES.parse(path, number, line))
            self._take(found[-1])
        self._read_up_to[path] = (offset + len(whole) + len(end), n_lines + len(found))
        return found
