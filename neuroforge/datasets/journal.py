"""Answers as they come -> a JSONL file that survives the process; and back."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from filelock import FileLock, Timeout
from pydantic import ValidationError

from neuroforge.contracts.datasets import Answer
from neuroforge.contracts.ports import Clock
from neuroforge.errors import ConflictError, DataError, DiskFull

SYNC_ROWS = 16
SYNC_S = 2.0


class Journal:
    """Append-only; one process at a time, any number of its threads.

    Each row is handed to the kernel at once, so that killing the process loses nothing; the disk is asked to keep it
    every 16 rows or 2 s, which is what a power failure may cost. The last row of a cell counts.
    """

    def __init__(self, path: Path, clock: Clock, sync: Callable[[int], None] = os.fsync) -> None:
        """Args:
        clock: Monotonic.

        Raises:
            ConflictError: Another process writes it.
            DataError: It holds something else than answers.
        """
        self.path = path
        self._clock = clock
        self._sync_file = sync
        self._guard = threading.Lock()
        self._n_unsynced = 0
        self._synced_at_s = clock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{path}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConflictError(f"{path}: another process is writing it; wait for it, or write elsewhere") from error
        try:
            self._answers = read_answers(path)
            _cut_torn_line(path)
            self._file: IO[bytes] = path.open("ab")
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def answers(self) -> dict[str, Answer]:
        """By cell id."""
        with self._guard:
            return dict(self._answers)

    def append(self, answer: Answer) -> None:
        """Keep it.

        Raises:
            DiskFull: No space; what was kept before is whole.
        """
        line = answer.model_dump_json(exclude_defaults=True).encode() + b"\n"
        with self._guard:
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                raise DiskFull(f"{self.path}: {error.strerror}", path=str(self.path)) from error
            self._answers[answer.cell_id] = answer
            self._n_unsynced += 1
            if self._n_unsynced >= SYNC_ROWS or self._clock() - self._synced_at_s >= SYNC_S:
                self._sync()

    def close(self) -> None:
        """Ask the disk for the rest, and let other processes write."""
        with self._guard:
            if not self._file.closed:
                self._sync()
                self._file.close()
        self._lock.release()

    def _sync(self) -> None:
        self._sync_file(self._file.fileno())
        self._n_unsynced, self._synced_at_s = 0, self._clock()


def read_answers(path: Path) -> dict[str, Answer]:
    """Return the last answer of each cell, in the order in which cells came first; a torn last line is left out.

    Raises:
        DataError: Names the line that is no answer.
    """
    answers: dict[str, Answer] = {}
    if not path.exists():
        return answers
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            answer = Answer.model_validate_json(line)
        except ValidationError as error:
            what = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise DataError(f"{path}: line {number} is no answer ({what}); write to another directory") from error
        answers[answer.cell_id] = answer
    return answers


def _cut_torn_line(path: Path) -> None:
    """A process that was killed while it wrote leaves half a line, onto which the next would be glued."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


def dump_settings(settings: dict[str, object]) -> str:
    """Return settings as the one line that goes into cell ids."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=True)
