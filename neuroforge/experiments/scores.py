"""scores.jsonl: judgements as they are made, and the newest of each cell and scorer."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
from pydantic import ValidationError

from neuroforge.contracts.experiments import CellScore, ExperimentConfig
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.scores import SCORER_NAMES, ScorerName
from neuroforge.errors import DataError
from neuroforge.storage.append_log import AppendLog

NAME = "scores.jsonl"


class ScoreLog:
    """Append-only; one writer at a time (ConflictError)."""

    def __init__(self, directory: Path, clock: Clock = time.monotonic) -> None:
        self._log = AppendLog(directory / NAME, clock)

    def append(self, scores: Iterable[CellScore]) -> None:
        """Keep them. Raises DiskFull: none of them is kept."""
        self._log.append(*(one.model_dump_json(exclude_defaults=True).encode() for one in scores))

    def close(self) -> None:
        """Let other processes write."""
        self._log.close()


class ScoreIndex:
    """Where the newest score of each cell and scorer stands; not the scores themselves."""

    def __init__(self, directory: Path) -> None:
        """Raises:
        DataError: A line is no score; names it.
        """
        self._path = directory / NAME
        self._place_by_key: dict[str, int] = {}
        self.scored_cells: set[str] = set()
        """Cells that their own scorer has judged; a judge or a person does not count."""
        if not self._path.is_file():
            return
        offset = 0
        with self._path.open("rb") as file:
            for row, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    found = orjson.loads(line)
                    self._place_by_key[_key(found["cell_id"], found["scorer"])] = offset
                    if found["scorer"] in SCORER_NAMES:
                        self.scored_cells.add(found["cell_id"])
                except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                    raise DataError(f"{self._path}: line {row} is no score; move the file away") from error
                offset += len(line)

    def has(self, cell_id: str, scorer: str) -> bool:
        """Whether the scorer has judged the cell."""
        return _key(cell_id, scorer) in self._place_by_key

    def read(self, cells: Sequence[tuple[str, Sequence[str]]]) -> list[CellScore | None]:
        """Return for each (cell id, scorers) the score of the first of the scorers that has judged it.

        Raises:
            DataError: A line is no score.
        """
        found: list[CellScore | None] = []
        if not self._place_by_key:
            return [None] * len(cells)
        with self._path.open("rb") as file:
            for cell_id, scorers in cells:
                places = (self._place_by_key.get(_key(cell_id, scorer)) for scorer in scorers)
                place = next((one for one in places if one is not None), None)
                if place is None:
                    found.append(None)
                    continue
                file.seek(place)
                found.append(_parse(self._path, file.readline()))
        return found


def scorers_of(scorer: ScorerName, config: ExperimentConfig) -> tuple[str, ...]:
    """Return whose score counts as an item's quality: its own scorer's, else the judge's."""
    judge = (f"judge:{config.judge.model_id}",) if config.judge is not None else ()
    return judge if scorer == "judge" else (scorer, *judge)


def _key(cell_id: str, scorer: str) -> str:
    return f"{cell_id} {scorer}"


def _parse(path: Path, line: bytes) -> CellScore:
    try:
        return CellScore.model_validate_json(line)
    except ValidationError as error:
        raise DataError(f"{path}: a line is no score; move the file away") from error
