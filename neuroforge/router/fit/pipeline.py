"""OutcomeTable, features -> kernel -> design -> classes -> bases -> stack -> FittedRouter."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder, TokenIds
from neuroforge.router.features import FeatureMatrix, extract_texts, join_features
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.design import Design, Gates, LinearHead, build_design
from neuroforge.router.fit.kernel import fit_kernel
from neuroforge.router.fit.labels import fit_classes, label_rows
from neuroforge.router.fit.model import Certainty, FittedRouter, Heads
from neuroforge.router.fit.neighbours import Neighbours, add_up, group, left_out_averages
from neuroforge.router.fit.stack import fit_combination
from neuroforge.router.fit.task_scores import fit_task_scores, shrunk_means

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""What is done, how much of it, of how much."""

PENALTIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 100.0, 300.0)
WIDTHS = (0.1, 0.2, 0.35, 0.6)
NEIGHBOUR_SHRINKAGE = 0.3
N_COMPONENTS, N_DIRECTIONS = 12, 128
EXTRACT_BATCH = 2_048


class _Near(NamedTuple):
    neighbours: Neighbours
    left_out: Floats


def extract_queries(
    queries: tuple[str, ...], embedder: StaticEmbedder, progress: Progress | None = None
) -> FeatureMatrix:
    """Return the features of all queries, in batches."""
    embedding = np.zeros((len(queries), embedder.dimension), dtype=np.float32)
    surface: list[NDArray[np.float32]] = []
    token_rows: list[TokenIds] = []
    for start in range(0, len(queries), EXTRACT_BATCH):
        part = extract_texts(queries[start : start + EXTRACT_BATCH], embedder)
        embedding[start : start + len(part)] = part.embedding
        surface.append(part.surface)
        token_rows.extend(part.token_rows())
        if progress:
            progress("features", start + len(part), len(queries))
    return join_features(embedding, np.concatenate(surface), token_rows)


def fit_router(
    table: OutcomeTable,
    features: FeatureMatrix,
    embedder_sha256: str,
    seed: int = 0,
    progress: Progress | None = None,
) -> FittedRouter:
    """Return the router that these outcomes teach; the same rows and seed give the same router.

    Penalties, widths, temperatures and weights are chosen on left-out predictions of the table's own rows.

    Raises:
        DataError: No row, or a row count that is not the features'.
    """
    if not len(table) or len(table) != len(features):
        raise DataError(
            f"{len(table)} outcomes and {len(features)} rows of features: at least one, and as many, needed"
        )
    tell = progress or (lambda *_: None)
    rng = np.random.default_rng(seed)
    tell("design", 0, 5)
    kernel, landmarks = fit_kernel(features, rng)
    design = build_design(kernel, kernel.points(features), rng)
    tell("tasks", 1, 5)
    classes = fit_classes(design, label_rows(table.tasks, design.points, rng))
    means = shrunk_means(table.scores, table.is_known)
    deviations = np.where(table.is_known, table.scores - means, 0)
    task_scores = fit_task_scores(classes, deviations, table.is_known)
    tell("regression", 2, 5)
    direct, penalty = _fit_head(design, deviations, table.is_known)
    unexplained = np.where(table.is_known, deviations - task_scores.left_out, 0)
    gates = _build_gates(classes.probabilities, landmarks)
    residual, _ = _fit_head(build_design(kernel, design.points, rng, gates), unexplained, table.is_known)
    tell("neighbours", 3, 5)
    near = _fit_neighbours(design, unexplained, table.is_known, rng)
    tell("combination", 4, 5)
    sample = design.sample
    bases = [task_scores.left_out[sample], direct.left_out, residual.left_out, near.left_out]
    combination = fit_combination(means, bases, table.scores[sample], table.is_known[sample])
    tell("done", 5, 5)
    return FittedRouter(
        embedder_sha256=embedder_sha256,
        n_outcomes=len(table),
        model_ids=table.model_ids,
        tasks=classes.names,
        kernel=kernel,
        heads=_build_heads(design, classes.head, direct, residual, gates),
        task_scores=task_scores.table,
        neighbours=near.neighbours,
        combination=combination,
        certainty=_build_certainty(design, penalty),
    )


def _fit_head(design: Design, targets: Floats, is_known: NDArray[np.bool_]) -> tuple[LinearHead, float]:
    """Return the head, and its penalty, whose left-out differences between models err least."""
    filled = design.fill(targets, is_known)
    heads = design.solve(filled, PENALTIES)
    errors = [_difference_error(head.left_out, targets[design.sample], is_known[design.sample]) for head in heads]
    best = int(np.argmin(errors))
    return heads[best], PENALTIES[best]


def _fit_neighbours(design: Design, residuals: Floats, is_known: NDArray[np.bool_], rng: np.random.Generator) -> _Near:
    centres, owner = group(design.points, rng)
    sums = add_up(owner, residuals, len(centres)).astype(np.float32)
    counts = add_up(owner, is_known.astype(np.float64), len(centres)).astype(np.float32)
    sample = design.sample
    found: list[tuple[float, int, _Near]] = []
    for index, width in enumerate(WIDTHS):
        neighbours = Neighbours(centres, sums, counts, width, NEIGHBOUR_SHRINKAGE)
        left_out = left_out_averages(
            neighbours, design.points[sample], owner[sample], residuals[sample], is_known[sample]
        )
        error = _difference_error(left_out, residuals[sample], is_known[sample])
        found.append((error, index, _Near(neighbours, left_out)))
    return min(found, key=lambda one: one[:2])[2]


def _difference_error(predicted: Floats, targets: Floats, is_known: NDArray[np.bool_]) -> float:
    """Return the squared error less what is common to a row's models; a row that knows one model counts whole."""
    errors = np.where(is_known, predicted - targets, 0)
    n_known = is_known.sum(axis=1, keepdims=True)
    level = np.where(n_known > 1, errors.sum(axis=1, keepdims=True) / np.maximum(n_known, 1), 0)
    return float((np.where(is_known, errors - level, 0) ** 2).sum())


def _build_gates(probabilities: Floats, landmarks: NDArray[np.intp]) -> Gates:
    rows = probabilities.astype(np.float32)
    return Gates(rows, rows[landmarks])


def _build_heads(design: Design, task: LinearHead, direct: LinearHead, residual: LinearHead, gates: Gates) -> Heads:
    n_components = min(N_COMPONENTS, len(design.values))
    leading = design.directions[:, -n_components:] * np.sqrt(
        len(design.points) / np.maximum(design.values[-n_components:], 1e-9)
    )
    return Heads(
        task=task.weights,
        task_bias=task.bias,
        direct=direct.weights,
        direct_bias=direct.bias,
        residual=residual.weights,
        residual_bias=residual.bias,
        gates=gates.landmarks,
        component=(design.whitening @ leading).astype(np.float32),
        component_bias=-design.mean @ leading,
    )


def _build_certainty(design: Design, penalty: float) -> Certainty:
    leading = design.directions[:, -N_DIRECTIONS:]
    return Certainty(
        weights=np.asarray(design.whitening @ leading, dtype=np.float32),
        bias=-design.mean @ leading,
        values=design.values[-N_DIRECTIONS:],
        penalty=penalty,
    )
