"""Left-out predictions of the bases -> their weights -> calibration and intervals, all inside the training file."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from neuroforge.router.fit.model import Combination, combine

Floats = NDArray[np.float64]

WEIGHT_SHRINKAGE = 2.0
"""Pull of each base's weight to 0, in squared score: a few outcomes cannot make a base count."""
CALIBRATION_ROWS = 20.0
"""Outcomes that speak for leaving a model's predictions as they are."""
COVERAGE = 0.9
MIN_RESIDUALS = 10
"""With fewer, an interval is 0..1."""


def fit_combination(means: Floats, bases: list[Floats], scores: Floats, is_known: NDArray[np.bool_]) -> Combination:
    """Return weights and calibration from left-out bases, (n, n_models) each, and the scores they should have told.

    Weights are not negative. What all models of a row share is fitted apart from their differences, because only the
    differences choose.
    """
    known = is_known.astype(np.float64)
    levels = [np.repeat(base.mean(axis=1, keepdims=True), scores.shape[1], axis=1) for base in bases]
    columns = [*levels, *(base - level for base, level in zip(bases, levels, strict=True))]
    weights = _fit_weights([column[is_known] for column in columns], (scores - means)[is_known])
    common, difference = weights[: len(bases)], weights[len(bases) :]
    raw = means + combine(bases, common, difference)
    intercept, slope = _calibrate(raw, scores, known)
    residuals = np.abs(np.clip(intercept + slope * raw, 0, 1) - scores)
    n_models = scores.shape[1]
    radius, noise = np.ones(n_models), np.zeros(n_models)
    for model in range(n_models):
        own = residuals[is_known[:, model], model]
        radius[model] = _conformal(own)
        noise[model] = ((own**2).sum() + 0.25) / (len(own) + 1)
    return Combination(means, common, difference, intercept, slope, radius, noise)


def _fit_weights(columns: list[Floats], target: Floats) -> Floats:
    rows = np.stack(columns, axis=1)
    gram = rows.T @ rows + WEIGHT_SHRINKAGE * np.eye(len(columns))
    # Non-negative least squares of the normal equations: the same minimum from a matrix of a few columns.
    upper = np.linalg.cholesky(gram).T
    weights, _ = nnls(upper, np.linalg.solve(upper.T, rows.T @ target))
    return np.asarray(weights, dtype=np.float64)


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
