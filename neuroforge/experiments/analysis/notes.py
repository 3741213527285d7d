"""Results -> warnings that a reader should see before believing the numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.experiments.items import read_left_out
from neuroforge.experiments.table import CellTable

FEW_CLUSTERS = 20
UNEVEN_SHARE = 0.05
"""Of a variant's cells without score: the others are then compared on what it managed."""


def find_notes(results: MatrixResult, table: CellTable, metrics: Sequence[Metric], n_outcomes: int) -> Iterator[str]:
    """Yield warnings, those about missing data first."""
    config, progress = results.plan.config, results.progress
    if progress.n_done < progress.n_cells:
        by = f", stopped by {progress.stopped_by}" if progress.stopped_by else ""
        yield (
            f"The run is not complete: {progress.n_done:,} of {progress.n_cells:,} cells are done{by}. What is missing "
            f"may differ from what is there; `neuroforge experiment run` goes on with it."
        )
    for model_id, reason in results.down.items():
        yield f"The model {model_id} was given up: {reason}. Its other cells are errors, never scores of 0."
    if left_out := read_left_out(Path(results.plan.directory)):
        yield f"{len(left_out):,} rows of the datasets could not be used and were left out; the first: {left_out[0]}."
    yield from _missing_scores(table)
    n_clusters = len(np.unique(table.clusters))
    if n_clusters < FEW_CLUSTERS:
        yield f"There are only {n_clusters} independent items: every interval is wide, and rough."
    elif n_clusters < len(table.items):
        yield (
            f"The {len(table.items):,} items form {n_clusters:,} independent groups (shared passages, paraphrases); "
            f"intervals and tests count groups."
        )
    names = {metric.name for metric in metrics if not np.isnan(metric.values).all()}
    if "consistency" in config.metrics and "consistency" not in names:
        yield "Consistency was asked for, but nothing was asked twice: set repeats to 2 or more, or give paraphrases."
    if "speed" in config.metrics and "latency_s" not in names and not table.is_error.all():
        yield "Speed was asked for, but every reply came from the cache: run without it (use_cache: false)."
    if not n_outcomes:
        yield (
            "No outcomes were written for the router's fit: it learns from scored answers to the plain prompt "
            "`{{ query }}` without a system message and an earlier conversation only."
        )


def _missing_scores(table: CellTable) -> Iterator[str]:
    for index, variant_id in enumerate(table.variant_ids):
        own = table.variant_of == index
        n, n_missing = int(own.sum()), int(np.isnan(table.scores[own]).sum())
        if not n:
            yield f"{variant_id} has no cell: nothing was asked of it yet."
            continue
        n_errors = int(table.is_error[own].sum())
        if n_missing == n:
            yield f"{variant_id} has no score for any of its {n:,} cells ({n_errors:,} failed calls)."
        elif n_missing > UNEVEN_SHARE * n:
            yield (
                f"{variant_id} has no score for {n_missing:,} of its {n:,} cells ({n_errors:,} failed calls). "
                f"Comparisons with it use only items that it was scored on, which may be the easier ones."
            )
