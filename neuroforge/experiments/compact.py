"""Journals and scores -> cells.parquet, one row a cell that was asked."""

from pathlib import Path

from neuroforge.contracts.experiment_run import ExperimentPlan
from neuroforge.experiments.item_file import ItemFile
from neuroforge.experiments.journal import JournalIndex
from neuroforge.experiments.scores import ScoreIndex, scorers_of
from neuroforge.experiments.tables import CELL_SCHEMA, CELLS, TableWriter, cell_row, read_matrix


def compact(plan: ExperimentPlan) -> Path:
    """Write cells.parquet anew, in the order of the matrix, and return its path; also after scores have changed.

    Holds a few thousand rows at a time, and ids of all.

    Raises:
        DataError: A file of the experiment is missing or damaged.
    """
    directory = Path(plan.directory)
    index, scores, items = JournalIndex(directory), ScoreIndex(directory), ItemFile(directory)
    try:
        with TableWriter(directory / CELLS, CELL_SCHEMA) as table:
            for cells in read_matrix(directory):
                asked = [cell for cell in cells if cell.cell_id in index]
                replies = index.read([cell.cell_id for cell in asked])
                found = scores.read(
                    [(cell.cell_id, scorers_of(items[cell.item_index].scorer, plan.config)) for cell in asked]
                )
                table.append(
                    [
                        cell_row(cell, items[cell.item_index], plan.variants[cell.variant_index], reply, score)
                        for cell, reply, score in zip(asked, replies, found, strict=True)
                    ]
                )
    finally:
        items.close()
    return directory / CELLS
