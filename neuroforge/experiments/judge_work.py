"""An experiment's directory -> the replies that only a judge can score."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.contracts.experiments import Judge
from neuroforge.experiments.item_file import ItemFile
from neuroforge.experiments.journal import JournalIndex
from neuroforge.experiments.scores import ScoreIndex
from neuroforge.experiments.tables import read_matrix


@dataclass(frozen=True)
class JudgedCell:
    """One reply and where it belongs."""

    cell_id: str
    item_index: int
    item: DatasetItem
    variant_index: int
    repeat: int
    reply: str
    grade: float | None
    """The judge's, 0 to 1."""
    is_judged: bool
    """Whether the judge has spoken, readably or not."""
    human: float | None
    """A person's grade, 0 to 1."""


def read_work(plan: ExperimentPlan, judge: Judge) -> tuple[JudgedCell, ...]:
    """Return the replies to items whose scorer is `judge`, in the order of the matrix; failed calls are left out.

    Raises:
        DataError: A file of the experiment is missing or damaged.
    """
    return tuple(_work(plan, judge))


def _work(plan: ExperimentPlan, judge: Judge) -> Iterator[JudgedCell]:
    directory = Path(plan.directory)
    index, scores, items = JournalIndex(directory), ScoreIndex(directory), ItemFile(directory)
    try:
        for cells in read_matrix(directory):
            wanted = [cell for cell in cells if cell.cell_id in index and items[cell.item_index].scorer == "judge"]
            ids = [cell.cell_id for cell in wanted]
            grades = scores.read([(cell_id, (f"judge:{judge.model_id}",)) for cell_id in ids])
            labels = scores.read([(cell_id, ("human",)) for cell_id in ids])
            for cell, reply, grade, label in zip(wanted, index.read(ids), grades, labels, strict=True):
                if reply.reply is not None:
                    yield JudgedCell(
                        cell_id=cell.cell_id,
                        item_index=cell.item_index,
                        item=items[cell.item_index],
                        variant_index=cell.variant_index,
                        repeat=cell.repeat,
                        reply=reply.reply,
                        grade=None if grade is None else grade.score.value,
                        is_judged=grade is not None,
                        human=None if label is None else label.score.value,
                    )
    finally:
        items.close()
