"""Replies -> people -> grades: a seeded sample without the models' names, and the grades back into scores.jsonl."""

import random
import time
from pathlib import Path

import pyarrow.parquet as pq

from neuroforge.contracts.experiment_desk import LabelReceipt, LabelSheet, LabelTask
from neuroforge.contracts.experiments import CellScore
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.scores import Score
from neuroforge.errors import RequestError
from neuroforge.experiments.item_lines import ITEMS_FILE, read_items
from neuroforge.experiments.scores import ScoreIndex, ScoreLog
from neuroforge.experiments.tables import CELLS

HUMAN = "human"
_SEED = 0


def export_labels(directory: Path, limit: int) -> tuple[LabelTask, ...]:
    """Return replies to grade in a random but repeatable order, those without a grade first; errors are left out.

    Raises:
        DataError: Items or scores cannot be read.
    """
    table = pq.read_table(directory / CELLS, columns=["cell_id", "item_id", "dataset", "reply"])
    rows = [row for row in table.to_pylist() if row["reply"] is not None]
    random.Random(_SEED).shuffle(rows)  # noqa: S311 - a sample, no secret
    grades = _grades(directory, [row["cell_id"] for row in rows])
    rows.sort(key=lambda row: row["cell_id"] in grades)  # stable: the order within stays
    chosen = rows[:limit]
    wanted = {(row["dataset"], row["item_id"]) for row in chosen}
    item_by_key = {
        key: item for _, item in read_items(directory / ITEMS_FILE) if (key := (item["dataset"], item["id"])) in wanted
    }
    return tuple(
        LabelTask(
            cell_id=row["cell_id"],
            item_id=row["item_id"],
            query=item_by_key[row["dataset"], row["item_id"]]["query"],
            references=tuple(item_by_key[row["dataset"], row["item_id"]].get("references") or ()),
            reply=row["reply"],
            value=grades.get(row["cell_id"]),
        )
        for row in chosen
    )


def import_labels(directory: Path, sheet: LabelSheet, now_s: Clock = time.time) -> LabelReceipt:
    """Keep people's grades; the newest of a cell counts.

    Raises:
        RequestError: A cell is not of this experiment; none is kept then.
        ConflictError: The experiment runs.
    """
    known = set(pq.read_table(directory / CELLS, columns=["cell_id"])["cell_id"].to_pylist())
    for index, label in enumerate(sheet.labels):
        if label.cell_id not in known:
            raise RequestError(
                f"labels[{index}]: {label.cell_id!r} is no cell of this experiment", param=f"labels[{index}].cell_id"
            )
    log = ScoreLog(directory)
    try:
        log.append(
            CellScore(cell_id=one.cell_id, scorer=HUMAN, score=Score(value=one.value, reason=one.reason), at_s=now_s())
            for one in sheet.labels
        )
    finally:
        log.close()
    return LabelReceipt(n_labels=len(sheet.labels), n_cells=len(_grades(directory, sorted(known))))


def _grades(directory: Path, cell_ids: list[str]) -> dict[str, float]:
    scores = ScoreIndex(directory).read([(cell_id, (HUMAN,)) for cell_id in cell_ids])
    return {one.cell_id: one.score.value for one in scores if one is not None and one.score.value is not None}
