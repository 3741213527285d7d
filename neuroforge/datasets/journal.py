"""Answers as they come -> a JSONL file that survives the process; and back."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from neuroforge.contracts.datasets import Answer
from neuroforge.contracts.ports import Clock
from neuroforge.storage.append_log import AppendLog
from neuroforge.storage.log_lines import LineKind

_LINES = LineKind(Answer, "answer", "write to another directory")


class Journal:
    """Append-only; one process at a time, any number of its threads. The last row of a cell counts."""

    def __init__(self, path: Path, clock: Clock, sync: Callable[[int], None] = os.fsync) -> None:
        """Args:
        clock: Monotonic.

        Raises:
            ConflictError: Another process writes it.
            DataError: It holds something else than answers.
        """
        self.path = path
        self._guard = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._log = AppendLog(path, clock, sync, check=self._load)

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
        line = answer.model_dump_json(exclude_defaults=True).encode()
        with self._guard:
            self._log.append(line)
            self._answers[answer.cell_id] = answer

    def close(self) -> None:
        """Ask the disk for the rest, and let other processes write."""
        self._log.close()

    def _load(self, path: Path) -> None:
        self._answers = read_answers(path)


def read_answers(path: Path) -> dict[str, Answer]:
    """Return the last answer of each cell, in the order in which cells came first; a torn last line is left out.

    Raises:
        DataError: Names the line that is no answer.
    """
    return {answer.cell_id: answer for answer in _LINES.read(path)}


def dump_settings(settings: dict[str, object]) -> str:
    """Return settings as the one line that goes into cell ids."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=True)
