"""Left-out predictions of the bases -> their weights -> calibration and intervals, all inside the training file."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from neuroforge.router.fit.model import Combination, combine

Floats = NDArray[np.float64]

WEIGHT_SHRINKAGE = 1.0
"""Pull of each base's weight to 0, in squared score: a few outcomes cannot make a base count."""
TASK_SHRINKAGE = 2.5
"""Pull of a task's weights to those of all tasks, in squared score."""
BLOCK = 2_048
CALIBRATION_ROWS = 20.0
"""Outcomes that speak for leaving a model's predictions as they are."""
COVERAGE = 0.9
MIN_RESIDUALS = 10
"""With fewer, an interval is 0..1."""


def fit_combination(
    means: Floats, bases: list[Floats], probabilities: Floats, scores: Floats, is_known: NDArray[np.bool_]
) -> Combination:
    """Return weights and calibration from left-out bases, (n, n_models) each, and the scores they should have told.

    Weights are not negative. What all models of a row share is fitted apart from their differences, because only the
    differences choose; the weights of differences are each task's own, as far as its rows speak for that.
    """
    known = is_known.astype(np.float64)
    common, difference = _fit_weights(bases, probabilities, scores - means, is_known)
    raw = means + combine(bases, probabilities, common, difference)
    intercept, slope = _calibrate(raw, scores, known)
    residuals = np.abs(np.clip(intercept + slope * raw, 0, 1) - scores)
    n_models = scores.shape[1]
    radius, noise = np.ones(n_models), np.zeros(n_models)
    for model in range(n_models):
        own = residuals[is_known[:, model], model]
        radius[model] = _conformal(own)
        noise[model] = ((own**2).sum() + 0.25) / (len(own) + 1)
    return Combination(means, common, difference, intercept, slope, radius, noise)


def _fit_weights(
    bases: list[Floats], probabilities: Floats, target: Floats, is_known: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return (n_bases,) and (n_tasks, n_bases) by least squares with the two shrinkages, none of them negative."""
    n_bases, n_tasks = len(bases), probabilities.shape[1]
    levels = np.stack([base.mean(axis=1) for base in bases], axis=1)
    gram = _prior_precision(n_bases, n_tasks)
    moment = np.zeros(len(gram))
    for start in range(0, len(target), BLOCK):
        rows = slice(start, start + BLOCK)
        for model in range(target.shape[1]):
            shared = levels[rows]
            own = np.stack([base[rows, model] for base in bases], axis=1) - shared
            by_task = (probabilities[rows, :, None] * own[:, None, :]).reshape(len(own), -1)
            columns = np.hstack([shared, by_task])[is_known[rows, model]]
            gram += columns.T @ columns
            moment += columns.T @ target[rows, model][is_known[rows, model]]
    # Non-negative least squares of the normal equations: the same minimum from a matrix of few columns.
    upper = np.linalg.cholesky(gram).T
    weights, _ = nnls(upper, np.linalg.solve(upper.T, moment))
    return weights[:n_bases], weights[n_bases:].reshape(n_tasks, n_bases)


def _prior_precision(n_bases: int, n_tasks: int) -> Floats:
    """Return the precision of common weights, then of task weights that vary around one of their own for all tasks."""
    spread = np.eye(n_tasks) / TASK_SHRINKAGE + np.ones((n_tasks, n_tasks)) / WEIGHT_SHRINKAGE
    precision = np.eye(n_bases * (n_tasks + 1)) * WEIGHT_SHRINKAGE
    precision[n_bases:, n_bases:] = np.kron(np.linalg.inv(spread), np.eye(n_bases))
    return precision


def _calibrate(raw: Floats, scores: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Return intercept and slope a model, least squares with CALIBRATION_ROWS rows' weight on (0, 1)."""
    n_known = known.sum(axis=0)
    centre = (raw * known).sum(axis=0) / np.maximum(n_known, 1)
    spread = (((raw - centre) ** 2) * known).sum(axis=0)
    errors = (scores - raw) * known
    prior = CALIBRATION_ROWS * max(float((spread / np.maximum(n_known, 1)).mean()), 1e-9)
    slope = 1 + ((raw - centre) * errors).sum(axis=0) / (spread + prior)
    shift = errors.sum(axis=0) / (n_known + CALIBRATION_ROWS)
    return centre + shift - slope * centre, slope


def _conformal(residuals: Floats) -> float:
    """Return the radius that covers COVERAGE of new rows if they come from where these did (split conformal)."""
    rank = int(np.ceil((len(residuals) + 1) * COVERAGE))
    if len(residuals) < MIN_RESIDUALS or rank > len(residuals):
        return 1.0
    return float(np.sort(residuals)[rank - 1])
