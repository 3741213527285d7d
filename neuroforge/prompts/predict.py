"""Rows of earlier runs -> a predictor with intervals that hold for a run that was not among them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COVERAGE = 0.9
FEWEST_RUNS = 4
"""With fewer an interval that holds at 80 % would have no end."""
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Of ridge regression on standardised features, that are tried."""


@dataclass(frozen=True)
class Predictor:
    """Ridge regression, and how far it was off on runs that it was not fitted to."""

    weights: Floats
    """(n_features,)."""
    offset: float
    reach: float
    """Half of the interval's width."""
    coverage: float
    """Share of programs, each of a run of its own, whose target lies within reach."""
    n_runs: int

    def predict(self, features: Floats) -> float:
        """Return the expected target of (n_features,)."""
        return float(features @ self.weights) + self.offset


def fit_predictor(features: Floats, targets: Floats, runs: NDArray[np.int64], has_offset: bool) -> Predictor | None:
    """Return a predictor, or None where there are too few runs. Each run counts the same, however many rows it has.

    Rows of one run are alike, so the interval is that of hierarchical conformal prediction: errors on runs left out,
    each run weighing the same, and one more run that could be anything off. With few runs its coverage is n / (n + 1).
    Source: Lee, Barber and Willett 2023, Distribution-free inference with hierarchical data, arXiv:2306.06342; errors
    are cross-fitted here, for which the paper's guarantee is approximate.

    Args:
        features: (n, n_features).
        targets: (n,).
        runs: (n,), the same number for rows of one run.
        has_offset: False: features of 0 mean a target of 0, as of differences.
    """
    names, place = np.unique(runs, return_inverse=True)
    if len(names) < FEWEST_RUNS:
        return None
    shares = 1.0 / np.bincount(place)[place]
    errors = {
        penalty: _errors_on_runs_left_out(features, targets, place, shares, penalty, has_offset)
        for penalty in _PENALTIES
    }
    best = min(_PENALTIES, key=lambda penalty: float(np.average(errors[penalty] ** 2, weights=shares)))
    coverage = min(COVERAGE, len(names) / (len(names) + 1))
    weights, offset = _ridge(features, targets, shares, best, has_offset)
    reach = _quantile(errors[best], shares / (len(names) + 1), coverage)
    return Predictor(weights, offset, reach, coverage, len(names))


def _errors_on_runs_left_out(
    features: Floats, targets: Floats, place: NDArray[np.intp], shares: Floats, penalty: float, has_offset: bool
) -> Floats:
    """(n,), absolute."""
    errors = np.empty_like(targets)
    for run in range(int(place.max()) + 1):
        is_out = place == run
        weights, offset = _ridge(features[~is_out], targets[~is_out], shares[~is_out], penalty, has_offset)
        errors[is_out] = np.abs(targets[is_out] - features[is_out] @ weights - offset)
    return errors


def _ridge(features: Floats, targets: Floats, shares: Floats, penalty: float, has_offset: bool) -> tuple[Floats, float]:
    """Weights and offset; the penalty is on weights of features of spread 1."""
    middle = np.average(features, axis=0, weights=shares) if has_offset else np.zeros(features.shape[1])
    level = float(np.average(targets, weights=shares)) if has_offset else 0.0
    spread = np.sqrt(np.average((features - middle) ** 2, axis=0, weights=shares))
    scaled = (features - middle) / np.where(spread > 0, spread, 1.0)
    gram = scaled.T @ (scaled * shares[:, None]) + penalty * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, scaled.T @ (shares * (targets - level))) / np.where(spread > 0, spread, 1.0)
    return weights, level - float(middle @ weights)


def _quantile(errors: Floats, weights: Floats, level: float) -> float:
    """The smallest error at which the weights of all up to it reach the level."""
    order = np.argsort(errors)
    reached = np.cumsum(weights[order]) >= level - 1e-9
    return float(errors[order][int(np.argmax(reached))])
