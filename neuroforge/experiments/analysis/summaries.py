"""Metric -> MetricSummary of each variant: mean with interval, percentiles, counts; over all, by dataset, by task."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.analysis import MetricSummary
from neuroforge.contracts.rules import Estimate
from neuroforge.experiments.analysis.draws import make_rng
from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.experiments.table import CellTable
from neuroforge.statistics.large import quick_mean_interval

PERCENTILES = (50, 90, 99)


class Scope(NamedTuple):
    """Items that are looked at; both None = all."""

    dataset: str | None = None
    task: str | None = None


def find_scopes(table: CellTable) -> tuple[Scope, ...]:
    """Return everything, then each dataset and each task where there are several."""
    datasets = table.datasets if len(table.datasets) > 1 else ()
    tasks = table.tasks if len(table.tasks) > 1 else ()
    return (Scope(), *(Scope(dataset=one) for one in datasets), *(Scope(task=one) for one in tasks))


def summarise(table: CellTable, metric: Metric, scope: Scope, seed: int) -> Iterator[MetricSummary]:
    """Yield one summary a variant, in their order; a variant without any value has no estimate, and says why."""
    items = table.select_items(*scope)
    for index, variant_id in enumerate(table.variant_ids):
        chosen = (table.variant_of == index) & items[table.item_of]
        rows = metric.known(items)[:, index]
        estimate, method = _estimate(metric, rows, index, make_rng(seed, metric.name, *scope, variant_id))
        cells = None if metric.cells is None else metric.cells[chosen]
        known = np.array([]) if cells is None else cells[~np.isnan(cells)]
        n_errors = int(table.is_error[chosen].sum())
        n_scored = int(rows.sum()) if cells is None else len(known)
        shown = known if metric.family == "speed" and len(known) else None
        yield MetricSummary(
            variant_id=variant_id,
            metric=metric.name,
            dataset=scope.dataset,
            task=scope.task,
            estimate=estimate,
            method=method,
            n_scored=n_scored,
            n_unscored=0 if cells is None else len(cells) - n_errors - n_scored,
            n_errors=n_errors,
            n_clusters=len(np.unique(metric.clusters[rows])),
            **{f"p{one}": None if shown is None else float(np.percentile(shown, one)) for one in PERCENTILES},
        )


def _estimate(
    metric: Metric, rows: NDArray[np.bool_], variant: int, rng: np.random.Generator
) -> tuple[Estimate | None, str]:
    values, clusters = metric.values[rows, variant], metric.clusters[rows]
    if not len(values):
        return None, "nothing was measured"
    n_clusters = len(np.unique(clusters))
    if n_clusters < 2 and (len(values) > 1 or metric.bounds is None):
        return None, "one independent item has no interval"
    interval = quick_mean_interval(values, clusters, metric.bounds, rng=rng)
    return interval.estimate(), interval.method
