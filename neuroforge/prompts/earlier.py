"""Finished runs beside a run's directory -> what programs got in them, to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.directory import CANDIDATES, EVALUATIONS, RESULT

MOST_RUNS = 50
"""Latest ones that are read."""


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


def read_earlier(directory: Path) -> Earlier:
    """Return what the finished runs beside this one measured in their searches."""
    paths = [one for one in directory.parent.glob(f"*/{CANDIDATES}") if one.parent != directory]
    paths.sort(key=lambda one: (-one.stat().st_mtime_ns, str(one)))
    found: list[EvaluatedProgram] = []
    unread = []
    for path in paths[:MOST_RUNS]:
        try:
            found += _rows_of(path.parent)
        except (OSError, ValidationError, KeyError, pa.ArrowException) as error:
            what = str(error).splitlines()[0]
            unread.append(f"{path.parent}: nothing was learned from this run ({what}); delete it if it is an old one")
    return Earlier(tuple(found), tuple(unread))


def _rows_of(directory: Path) -> Iterator[EvaluatedProgram]:
    result = OptimizationResult.model_validate_json((directory / RESULT).read_text(encoding="utf-8"))
    columns = pq.read_table(directory / CANDIDATES, columns=["candidate_id", "program"]).to_pydict()
    programs = dict(zip(columns["candidate_id"], columns["program"], strict=True))
    told = pq.read_table(directory / EVALUATIONS, columns=["candidate_id", "split", "block", "fitness", "score"])
    told = told.filter(pc.equal(told["split"], "search"))
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
