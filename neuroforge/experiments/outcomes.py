"""Scored cells -> outcomes.parquet, rows that the router's fit learns from: query, scores, costs, latencies, task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroforge.contracts.experiments import ExperimentConfig, Variant
from neuroforge.datasets.outcomes import write_outcomes
from neuroforge.experiments.analysis.insights import to_task_type
from neuroforge.experiments.item_lines import read_items
from neuroforge.experiments.table import CellTable, Floats

OUTCOMES_FILE = "outcomes.parquet"


def export_outcomes(
    table: CellTable, config: ExperimentConfig, variants: Sequence[Variant], items_path: Path, path: Path
) -> int:
    """Write one row an item and return how many; 0 and no file where nothing can be learned for the router.

    The router sees requests as people send them, so only cells of a plain prompt count (the template is `{{ query }}`,
    no system message) and items without an earlier conversation. Over several decoding settings and repeats a model's
    score, cost and latency are the mean. A model that was not scored on an item is absent from its row.
    Raises:
        DataError: The items cannot be read.
    """
    plain = {one.name for one in config.prompts if one.template.strip() == "{{ query }}" and one.system is None}
    kept = [one for one in variants if one.prompt in plain]
    means = {
        "scores": _by_model(table.item_means(table.scores), kept, table),
        "costs": _by_model(table.item_means(table.costs_usd), kept, table),
        "latencies": _by_model(table.item_means(table.latency_s), kept, table),
    }
    place = {(item.dataset, item.id): index for index, item in enumerate(table.items)}
    rows = [
        row
        for _, item in read_items(items_path)
        if (index := place.get((item["dataset"], item["id"]))) is not None
        and not item.get("messages")
        and (row := _row(item, means, index)) is not None
    ]
    if rows:
        write_outcomes(rows, path)
    else:
        path.unlink(missing_ok=True)  # of an earlier scoring
    return len(rows)


def _by_model(means: Floats, variants: Sequence[Variant], table: CellTable) -> dict[str, Floats]:
    """Return (n_items,) by model: mean over its variants, NaN where none has a value."""
    found = {}
    for model_id in dict.fromkeys(one.model_id for one in variants):
        columns = [table.variant_ids.index(one.id) for one in variants if one.model_id == model_id]
        known = ~np.isnan(means[:, columns])
        sums, counts = np.where(known, means[:, columns], 0.0).sum(axis=1), known.sum(axis=1)
        found[model_id] = np.full(len(means), np.nan)
        np.divide(sums, counts, out=found[model_id], where=counts > 0)
    return found


def _row(item: dict[str, Any], means: dict[str, dict[str, Floats]], index: int) -> dict[str, Any] | None:
    scored = [model_id for model_id, values in means["scores"].items() if not np.isnan(values[index])]
    if not scored:
        return None
    task = item.get("task")
    return {
        "query": item["query"],
        **{
            name: {one: None if np.isnan(found[one][index]) else float(found[one][index]) for one in scored}
            for name, found in means.items()
        },
        "task": to_task_type(task) or task,
        "dataset": item["dataset"],
        "item_id": item["id"],
    }
