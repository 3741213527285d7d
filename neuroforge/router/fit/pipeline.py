"""OutcomeTable, features -> kernel -> design -> classes -> bases -> stack -> FittedRouter.

Up to 6,000 rows the kernel is exact; above it sees 2,000 landmarks, and above 200,000 rows the others only add to the
scores by task. Similarities are worked out block by block: memory grows with the rows' features alone.
"""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder, TokenIds
from neuroforge.router.features import FeatureMatrix, extract_texts, join_features
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.design import Design, Gates, LinearHead, Sight, build_design, choose_sample
from neuroforge.router.fit.kernel import View, fit_kernel
from neuroforge.router.fit.labels import fit_classes, label_rows
from neuroforge.router.fit.model import Certainty, FittedRouter, Heads
from neuroforge.router.fit.others import split_rows, tally_rows
from neuroforge.router.fit.stack import fit_combination
from neuroforge.router.fit.task_scores import fit_task_scores, shrunk_means

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""What is done, how much of it, of how much."""

PENALTIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 100.0, 300.0)
WITHIN_TASKS: tuple[View, ...] = ("meaning", "marks")
N_COMPONENTS, N_DIRECTIONS = 12, 32
N_SPREAD = 128
"""The direction of that rank tells how far the training rows spread along all those that are not kept."""
EXTRACT_BATCH, N_STAGES = 2_048, 6


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
    means = shrunk_means(table.scores, table.is_known)
    split = split_rows(len(table), rng)
    own, own_features = table, features
    if len(split.others):
        own, own_features = table.take(split.fitted), features.take(split.fitted)
    tell("design", 0, N_STAGES)
    kernel, landmarks = fit_kernel(own_features, rng)
    points = kernel.points(own_features)
    sample = choose_sample(len(points), rng)
    design = build_design(Sight(kernel, "whole", points), sample)
    tell("tasks", 1, N_STAGES)
    classes = fit_classes(design, label_rows(own.tasks, points, rng))
    others = tally_rows(split.others, table, features, kernel, classes, means)
    deviations = np.where(own.is_known, own.scores - means, 0)
    task_scores = fit_task_scores(classes, deviations, own.is_known, others)
    tell("regression", 2, N_STAGES)
    direct, penalty = _fit_head(design, deviations, own.is_known)
    unexplained = np.where(own.is_known, deviations - task_scores.left_out, 0)
    gates = _build_gates(classes.probabilities, landmarks)
    within: list[LinearHead] = []
    for view in WITHIN_TASKS:
        tell(f"{view} within tasks", 3 + len(within), N_STAGES)
        gated = build_design(Sight(kernel, view, points, gates), sample)
        within.append(_fit_head(gated, unexplained, own.is_known)[0])
    tell("combination", 5, N_STAGES)
    bases = [task_scores.left_out[sample], direct.left_out, *(head.left_out for head in within)]
    probabilities = classes.probabilities[sample]
    combination = fit_combination(means, bases, probabilities, own.scores[sample], own.is_known[sample])
    tell("done", N_STAGES, N_STAGES)
    return FittedRouter(
        embedder_sha256=embedder_sha256,
        n_outcomes=len(table),
        model_ids=table.model_ids,
        tasks=classes.names,
        kernel=kernel,
        heads=_build_heads(design, classes.head, direct, within, gates),
        task_scores=task_scores.table,
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


def _difference_error(predicted: Floats, targets: Floats, is_known: NDArray[np.bool_]) -> float:
    """Return the squared error less what is common to a row's models; a row that knows one model counts whole."""
    errors = np.where(is_known, predicted - targets, 0)
    n_known = is_known.sum(axis=1, keepdims=True)
    level = np.where(n_known > 1, errors.sum(axis=1, keepdims=True) / np.maximum(n_known, 1), 0)
    return float((np.where(is_known, errors - level, 0) ** 2).sum())


def _build_gates(probabilities: Floats, landmarks: NDArray[np.intp]) -> Gates:
    rows = probabilities.astype(np.float32)
    return Gates(rows, rows[landmarks])


def _build_heads(design: Design, task: LinearHead, direct: LinearHead, within: list[LinearHead], gates: Gates) -> Heads:
    meaning, marks = within
    leading = slice(max(len(design.values) - N_COMPONENTS, 0), None)
    scale = np.sqrt(len(design) / np.maximum(design.values[leading], 1e-9))
    return Heads(
        task=task.weights,
        task_bias=task.bias,
        direct=direct.weights,
        direct_bias=direct.bias,
        meaning=meaning.weights,
        meaning_bias=meaning.bias,
        marks=marks.weights,
        marks_bias=marks.bias,
        gates=gates.landmarks,
        component=np.ascontiguousarray(design.rotation[:, leading] * scale, dtype=np.float32),
        component_bias=-design.mean[leading] * scale,
    )


def _build_certainty(design: Design, penalty: float) -> Certainty:
    leading = slice(max(len(design.values) - N_DIRECTIONS, 0), None)
    return Certainty(
        weights=np.ascontiguousarray(design.rotation[:, leading]),
        bias=-design.mean[leading],
        values=design.values[leading],
        rest=float(design.values[-N_SPREAD:][0]) if len(design.values) else 0.0,
        penalty=penalty,
    )
