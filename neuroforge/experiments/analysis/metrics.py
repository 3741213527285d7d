"""CellTable -> what is compared: one value an item and variant on each metric."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.experiments import MetricFamily
from neuroforge.experiments.analysis.consistency import measure_consistency
from neuroforge.experiments.table import CellTable, Floats, Ints

UNIT = (0.0, 1.0)


@dataclass(frozen=True)
class Metric:
    """One metric's values; NaN = not measured."""

    name: str
    family: MetricFamily
    values: Floats
    """(n_items, n_variants), means over repeats."""
    clusters: Ints
    """(n_items,)."""
    is_higher_better: bool = True
    bounds: tuple[float, float] | None = None
    cells: Floats | None = None
    """(n_cells,) single values, for percentiles; None = not told by cell."""

    def known(self, items: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (n_items, n_variants): measured, on these items."""
        return ~np.isnan(self.values) & items[:, None]


def measure_metrics(table: CellTable, asked: Sequence[MetricFamily]) -> tuple[Metric, ...]:
    """Return quality, speed and cost, and consistency where it is asked for or calls were repeated.

    A metric that no cell tells anything about is left out, quality excepted.
    """
    cells = [
        _of_cells(table, "quality", "quality", table.scores, bounds=UNIT),
        _of_cells(table, "ttft_s", "speed", table.ttft_s, is_higher_better=False),
        _of_cells(table, "latency_s", "speed", table.latency_s, is_higher_better=False),
        _of_cells(table, "tokens_per_s", "speed", table.tokens_per_s),
        _of_cells(table, "cost_usd", "cost", table.costs_usd, is_higher_better=False),
    ]
    agreement = measure_consistency(table)
    consistency = Metric("consistency", "consistency", agreement, table.clusters, bounds=UNIT)
    found = [*cells, consistency] if "consistency" in asked or not np.isnan(agreement).all() else cells
    return tuple(one for one in found if one.family in ("quality", "consistency") or not np.isnan(one.values).all())


def _of_cells(
    table: CellTable,
    name: str,
    family: MetricFamily,
    cells: Floats,
    *,
    is_higher_better: bool = True,
    bounds: tuple[float, float] | None = None,
) -> Metric:
    return Metric(name, family, table.item_means(cells), table.clusters, is_higher_better, bounds, cells)
