"""verdicts.jsonl: which of two replies a judge preferred, in both orders; kept, so that no pair is judged twice."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from neuroforge.contracts.base import Contract
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.scores import Score
from neuroforge.scoring.judge import Preference, settle
from neuroforge.storage.append_log import AppendLog
from neuroforge.storage.log_lines import LineKind

NAME = "verdicts.jsonl"
_WORTH: dict[Preference, tuple[float, float]] = {"first": (1.0, 0.0), "second": (0.0, 1.0), "tie": (0.5, 0.5)}


class Verdict(Contract):
    """What a judge said of two cells of the same item."""

    judge: str
    a: str
    b: str
    """Cell ids."""
    forward: Preference | None
    """With a before b; None = it could not be read."""
    backward: Preference | None
    """With b before a: `first` is b."""

    @property
    def is_read(self) -> bool:
        """Whether both orders could be read."""
        return self.forward is not None and self.backward is not None

    @property
    def settled(self) -> tuple[Preference, bool] | None:
        """Preference for a (`first`) or b, and whether it turned with the order; None where it could not be read."""
        if self.forward is None or self.backward is None:
            return None
        return settle(self.forward, self.backward)


_LINES = LineKind(Verdict, "verdict", "move the file away")


class VerdictLog:
    """Append-only; one writer at a time (ConflictError)."""

    def __init__(self, directory: Path, clock: Clock = time.monotonic) -> None:
        self._log = AppendLog(directory / NAME, clock)

    def append(self, verdict: Verdict) -> None:
        """Keep it. Raises DiskFull: it is not kept."""
        self._log.append(verdict.model_dump_json().encode())

    def close(self) -> None:
        """Let other processes write."""
        self._log.close()


def read_verdicts(directory: Path, judge: str) -> dict[tuple[str, str], Verdict]:
    """Return a judge's verdicts by their cells; a line that a killed process left unfinished is none.

    Raises:
        DataError: A line is no verdict; names it.
    """
    return {(one.a, one.b): one for one in _LINES.read(directory / NAME) if one.judge == judge}


def score_cells(cell_ids: Sequence[str], verdicts: Iterable[Verdict]) -> dict[str, Score]:
    """Return each cell's share of the comparisons that it won, a tie as half; not scored where none could be read."""
    points: dict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.settled is not None:
            worth = _WORTH[verdict.settled[0]]
            points[verdict.a].append(worth[0])
            points[verdict.b].append(worth[1])
    return {one: _score(points[one]) for one in cell_ids}


def _score(points: Sequence[float]) -> Score:
    if not points:
        return Score(reason="no comparison with another reply could be read")
    told = f"{points.count(1.0)} won, {points.count(0.5)} tied, {points.count(0.0)} lost"
    return Score(value=sum(points) / len(points), reason=told)
