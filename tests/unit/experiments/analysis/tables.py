"""Tables and metrics from a few scores, written as they would stand on paper."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.experiments.table import CellTable, read_cells
from tests.unit.experiments.synthetic import cell, write_cells


def quality(*columns: Sequence[float], clusters: Sequence[int] | None = None) -> Metric:
    """One column a variant."""
    values = np.array(columns, dtype=float).T
    return Metric(
        "quality", "quality", values, np.arange(len(values)) if clusters is None else np.array(clusters), bounds=(0, 1)
    )


def table_of(directory: Path, rows: Sequence[dict[str, object]], variants: Sequence[str] = ("a", "b")) -> CellTable:
    return read_cells(write_cells(directory / "cells.parquet", rows), variants)


def answers(variant: str, item: str, *given: str, **fields: object) -> list[dict[str, object]]:
    """Repeats of one item with these answers."""
    return [cell(variant, item, 1.0, repeat=index, answer=one, **fields) for index, one in enumerate(given)]
