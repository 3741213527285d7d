"""Finished runs beside a run's directory -> what programs got in them, to learn from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.directory import CANDIDATES, EVALUATIONS, RESULT
from neuroforge.prompts.provenance import fingerprint

MOST_RUNS = 50
"""Latest ones that are read."""
_NEEDED = ("candidate_id", "split", "block", "item_id", "fitness", "score")
_FINGERPRINT = "fingerprint"
"""A column that runs have which know it: what an item asks."""


@dataclass(frozen=True)
class EvaluatedProgram:
    """What one program got on one block of a run's search."""

    run: str
    """The same for one run's rows."""
    kind: str | None
    """Of task (`TaskKind`)."""
    program: PromptProgram
    block: int
    fitness: float
    """Mean of what the search climbed, 0..1."""
    score: float | None
    """Mean of the items that were scored, 0..1; None = none was."""
    n_items: int
    """With a fitness."""


class Earlier(NamedTuple):
    """What can be learned from."""

    rows: tuple[EvaluatedProgram, ...] = ()
    """Latest run first."""
    unread: tuple[str, ...] = ()
    """A sentence for each run that cannot be read."""
    n_runs_with_test: int = 0
    """Whose searches asked items that this run will test: what they got on those is left out."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """For people."""
        if not self.n_runs_with_test:
            return self.unread
        told = (
            f"earlier runs ({self.n_runs_with_test}) searched on items of this run's test: those are not learned from"
        )
        return (*self.unread, told)


def read_earlier(directory: Path, test: Sequence[DatasetItem] = ()) -> Earlier:
    """Return what the finished runs beside this one measured in their searches, but for what this one will test.

    A search that knows what does well on its test items is tested on items that are not fresh.

    Args:
        test: Items of this run's test; known by what they ask, in runs that did not keep that by their ids.
    """
    paths = [one for one in directory.parent.glob(f"*/{CANDIDATES}") if one.parent != directory]
    paths.sort(key=lambda one: (-one.stat().st_mtime_ns, str(one)))
    found: list[EvaluatedProgram] = []
    unread, n_runs_with_test = [], 0
    for path in paths[:MOST_RUNS]:
        try:
            told = _read_told(path.parent)
            fresh = _without(told, test)
            found += _rows_of(path.parent, fresh)
            n_runs_with_test += len(fresh) < len(told)
        except (OSError, ValidationError, KeyError, pa.ArrowException) as error:
            what = str(error).splitlines()[0]
            unread.append(f"{path.parent}: nothing was learned from this run ({what}); delete it if it is an old one")
    return Earlier(tuple(found), tuple(unread), n_runs_with_test)


def _read_told(directory: Path) -> pa.Table:
    """Return what a run measured in its search, a row a program and item."""
    path = directory / EVALUATIONS
    more = [name for name in pq.read_schema(path).names if name == _FINGERPRINT]
    told = pq.read_table(path, columns=[*_NEEDED, *more])
    return told.filter(pc.equal(told["split"], "search"))


def _without(told: pa.Table, test: Sequence[DatasetItem]) -> pa.Table:
    column = _FINGERPRINT if _FINGERPRINT in told.column_names else "item_id"
    names = [fingerprint(item) if column == _FINGERPRINT else item.id for item in test]
    return told.filter(pc.invert(pc.is_in(told[column], value_set=pa.array(names, pa.string()))))


def _rows_of(directory: Path, told: pa.Table) -> Iterator[EvaluatedProgram]:
    result = OptimizationResult.model_validate_json((directory / RESULT).read_text(encoding="utf-8"))
    columns = pq.read_table(directory / CANDIDATES, columns=["candidate_id", "program"]).to_pydict()
    programs = dict(zip(columns["candidate_id"], columns["program"], strict=True))
    means = told.group_by(["candidate_id", "block"], use_threads=False).aggregate(
        [("fitness", "mean"), ("fitness", "count"), ("score", "mean")]
    )
    for row in means.to_pylist():
        if row["fitness_count"]:
            yield EvaluatedProgram(
                run=result.id,
                kind=result.task_kind,
                program=PromptProgram.model_validate_json(programs[row["candidate_id"]]),
                block=row["block"],
                fitness=row["fitness_mean"],
                score=row["score_mean"],
                n_items=row["fitness_count"],
            )
