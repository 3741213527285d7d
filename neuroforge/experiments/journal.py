"""Replies -> one append-only file a writer -> an index of what is answered."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from pydantic import ValidationError

from neuroforge.contracts.experiments import CellReply
from neuroforge.contracts.ports import Clock
from neuroforge.errors import DataError
from neuroforge.storage.append_log import AppendLog, wait_until_free
from neuroforge.storage.sync_aside import SyncAside

FOLDER = "journal"
_OFFSET_BITS = 44


class ReplyJournal:
    """One writer's file; a reply counts once `append` returned."""

    def __init__(self, directory: Path, writer: str, clock: Clock = time.monotonic) -> None:
        """Args:
        directory: The experiment's.
        writer: Later runs' names sort behind earlier ones'.

        Raises:
            ConflictError: Another process writes under this name.
            DiskFull: There is no room for the file.
        """
        self._sync = SyncAside()
        self._log = AppendLog(directory / FOLDER / f"{writer}.jsonl", clock, self._sync)

    def append(self, replies: Sequence[CellReply]) -> None:
        """Keep them. Raises DiskFull: none of them is kept."""
        self._log.append(*(one.model_dump_json(exclude_defaults=True).encode() for one in replies))

    def close(self) -> None:
        """Ask the disk for the rest, and wait for it."""
        self._log.close()
        self._sync.close()


class JournalIndex:
    """Where the last reply to each cell stands. Holds ids and places, not texts."""

    def __init__(self, directory: Path, writers: str = "") -> None:
        """Read the writers' files; a line that a killed writer left unfinished is no reply.

        Args:
            writers: How their names begin; empty = all.
        Raises:
            DataError: A line is something else; names file and line.
        """
        self._paths: list[Path] = []
        self._place_by_cell: dict[str, int] = {}
        self._open: set[str] = set()
        for path in sorted((directory / FOLDER).glob(f"{writers}*.jsonl")):
            self._paths.append(path)
            self._scan(path, len(self._paths) - 1)

    def __len__(self) -> int:
        return len(self._place_by_cell)

    def __contains__(self, cell_id: str) -> bool:
        return cell_id in self._place_by_cell

    def is_settled(self, cell_id: str) -> bool:
        """Whether it need not be asked again: it has a reply, or failed for a reason that will not pass."""
        return cell_id in self._place_by_cell and cell_id not in self._open

    def read(self, cell_ids: Sequence[str]) -> Iterator[CellReply]:
        """Yield the last reply to each cell that has one, in the order asked.

        Raises:
            DataError: A line is no reply.
        """
        files = {}
        try:
            for cell_id in cell_ids:
                if (place := self._place_by_cell.get(cell_id)) is None:
                    continue
                number, offset = place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)
                if number not in files:
                    files[number] = self._paths[number].open("rb")
                files[number].seek(offset)
                yield _parse(self._paths[number], files[number].readline())
        finally:
            for file in files.values():
                file.close()

    def replies(self, n_at_once: int = 512) -> Iterator[list[CellReply]]:
        """Yield all last replies, some at a time, in the order in which their cells came first."""
        ids = list(self._place_by_cell)
        for start in range(0, len(ids), n_at_once):
            yield list(self.read(ids[start : start + n_at_once]))

    def _scan(self, path: Path, number: int) -> None:
        offset = 0
        with path.open("rb") as file:
            for row, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    found = orjson.loads(line)
                    cell_id = found["cell_id"]
                except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                    raise DataError(f"{path}: line {row} is no reply; move the file away") from error
                self._place_by_cell[cell_id] = number << _OFFSET_BITS | offset
                self._open.discard(cell_id)
                if found.get("is_retryable"):
                    self._open.add(cell_id)
                offset += len(line)


def wait_for_writers(directory: Path, timeout_s: float = 30.0) -> None:
    """Return when no process writes to the journal any more. Raises ConflictError: one still does."""
    wait_until_free((directory / FOLDER).glob("*.jsonl"), timeout_s)


def next_run_number(directory: Path) -> int:
    """Return a number above those of all runs that have written here."""
    names = [path.name.partition("-")[0] for path in (directory / FOLDER).glob("*.jsonl")]
    return max((int(name) for name in names if name.isdecimal()), default=0) + 1


def _parse(path: Path, line: bytes) -> CellReply:
    try:
        return CellReply.model_validate_json(line)
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise DataError(f"{path}: a line is no reply ({what}); move the file away") from error
