"""Files in, router directory or evaluation or predictions out: what the commands, the job and Python users call."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from neuroforge.contracts.base import Contract
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fit.artifact import load_router, save_router
from neuroforge.router.fit.data import read_outcomes, read_queries
from neuroforge.router.fit.evaluate import evaluate_outcomes
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.fit.pipeline import Progress, extract_queries, fit_router
from neuroforge.router.fit.report import Evaluation


class FitReport(Contract):
    """What was fitted, for people and programs."""

    directory: str
    n_outcomes: int
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    """Of the file, or latent clusters."""
    mean_scores: dict[str, float]
    base_weights: dict[str, float]
    """Mean over the tasks of the bases' weights in the differences between models, found on left-out predictions."""
    interval_radius: dict[str, float]
    """90 % of the left-out scores lie so close to their prediction."""


class QueryPrediction(NamedTuple):
    """One question: the best model by expected quality, and what every model is expected to score."""

    model: str
    quality: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    std: dict[str, float]


BASES = ("task", "direct", "meaning within tasks", "marks within tasks")


def fit_outcome_file(
    outcomes: Path,
    directory: Path,
    embedder: StaticEmbedder,
    progress: Progress | None = None,
    *,
    skip_bad_rows: bool = False,
) -> FitReport:
    """Return what was fitted, after writing the router directory.

    Raises:
        DataError: The file has bad rows (named), or the directory cannot be written.
    """
    table = read_outcomes(outcomes, skip_bad_rows=skip_bad_rows)
    features = extract_queries(table.queries, embedder, progress)
    fitted = fit_router(table, features, embedder.sha256, progress=progress)
    save_router(directory, fitted)
    return describe_fit(fitted, directory)


def describe_fit(fitted: FittedRouter, directory: Path) -> FitReport:
    """Return the report of a fitted router that lies in `directory`."""
    combination = fitted.combination
    return FitReport(
        directory=str(directory),
        n_outcomes=fitted.n_outcomes,
        models=fitted.model_ids,
        tasks=fitted.tasks,
        mean_scores=dict(zip(fitted.model_ids, combination.means.tolist(), strict=True)),
        base_weights=dict(zip(BASES, combination.difference.mean(axis=0).tolist(), strict=True)),
        interval_radius=dict(zip(fitted.model_ids, combination.radius.tolist(), strict=True)),
    )


def evaluate_files(
    train: Path,
    test: Path,
    embedder: StaticEmbedder,
    progress: Progress | None = None,
    *,
    skip_bad_rows: bool = False,
) -> Evaluation:
    """Return the evaluation of a router fitted on one file and tested on another.

    Raises:
        DataError: Bad rows (named), or no model in common.
    """
    tables = [read_outcomes(path, skip_bad_rows=skip_bad_rows) for path in (train, test)]
    return evaluate_outcomes(tables[0], tables[1], embedder, progress)


def predict_file(
    directory: Path, queries: Path, embedder: StaticEmbedder, progress: Progress | None = None
) -> list[QueryPrediction]:
    """Return one prediction a query of the file, in its order.

    Raises:
        DataError: The directory is no router of this embedder and release, or the file has bad rows.
    """
    fitted = load_router(directory, embedder.sha256)
    found = fitted.predict(extract_queries(read_queries(queries), embedder, progress))
    names = fitted.model_ids
    chosen = np.argmax(found.quality, axis=1)
    return [
        QueryPrediction(names[best], *(dict(zip(names, row, strict=True)) for row in rows))
        for best, *rows in zip(chosen, *(array.round(6).tolist() for array in found), strict=True)
    ]
