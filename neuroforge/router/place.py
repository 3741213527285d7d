"""A new model among known ones: which stored questions to ask it, and what the answers say of its quality anywhere."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_PROBES = 50
MAX_POOL = 600
"""Questions that are compared with each other; of more stored ones an even share is looked at."""
LEVEL_STD, SLOPE_STD = 0.4, 0.3
"""Of the new model's distance from the mean of the known ones, and of how much harder it finds hard questions."""
LIKENESS_STD = 0.3
"""Of how far it is like each of the known models, less their mean."""
BASIS_STD, LEAST_SPREAD = 0.04, 0.1
"""Of what it has of its own, along each column of the basis, for a question of usual size; columns that are nearly
constant are taken for larger than they are."""
NOISE_VARIANCE = 0.15
CORRELATION = 0.3
"""Between two models' surprises on a question: some questions are harder than they look. So the known models' real
scores tell how much of the new one's score was the question's."""
CAUTION = 0.3
"""Deviations that are taken off: the best of several estimates is more often too high than too low."""


class Stored(NamedTuple):
    """Questions on which the known models were scored."""

    others: Floats
    """(n, m), predicted quality of the known models."""
    basis: Floats
    """(n, d), columns of about unit scale or below."""


class Probes(NamedTuple):
    """What the new model scored on some of them."""

    asked: Stored
    scores: Floats
    """(n,), 0..1, of the new model."""
    others_scores: Floats | None = None
    """(n, m), what the known models really scored there; None = not known."""


@dataclass(frozen=True)
class Placement:
    """A Gaussian posterior over how the new model follows from the known ones."""

    center: float
    """Mean quality of the known models on the probes."""
    coefficients: Floats
    covariance: Floats

    def predict(self, questions: Stored) -> tuple[Floats, Floats]:
        """Return quality (n,), cautious and within 0..1, and its standard deviation (n,)."""
        design = _describe(questions, self.center)
        std = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", design, self.covariance, design), 0.0))
        return np.clip(self.center + design @ self.coefficients - CAUTION * std, 0.0, 1.0), std


def choose_probes(stored: Stored, n_probes: int = N_PROBES) -> NDArray[np.intp]:
    """Return the rows to ask, in order: each lowers the expected squared error over all stored questions the most.

    Ties go to the earlier row; no row twice; fewer come back where fewer are stored.
    Source: greedy V-optimal design for Bayesian linear regression.
    """
    n = len(stored.others)
    pool = np.unique(np.linspace(0, n - 1, min(n, MAX_POOL)).astype(np.intp)) if n else np.zeros(0, dtype=np.intp)
    rows = Stored(stored.others[pool], stored.basis[pool])
    scaled = _describe(rows, float(rows.others.mean()) if n else 0.0) * np.sqrt(_prior(rows)[1])
    covariance = scaled @ scaled.T
    chosen: list[int] = []
    for _ in range(min(n_probes, len(pool))):
        gain = (covariance**2).sum(axis=0) / (np.diag(covariance) + NOISE_VARIANCE)
        gain[chosen] = -1.0
        row = int(gain.argmax())
        chosen.append(row)
        covariance = covariance - np.outer(covariance[row], covariance[row]) / (covariance[row, row] + NOISE_VARIANCE)
    return pool[chosen]


def place_model(probes: Probes) -> Placement:
    """Return where the probes place the new model; without probes it is the mean of the known ones."""
    asked, scores = probes.asked, probes.scores
    center = float(asked.others.mean()) if len(scores) else 0.5
    design = _describe(asked, center)
    mean, variances = _prior(asked)
    target = scores - center
    if probes.others_scores is not None:
        shared = CORRELATION / (1.0 + (asked.others.shape[1] - 1) * CORRELATION)
        target = target - shared * (probes.others_scores - asked.others).sum(axis=1)
    precision = design.T @ design / NOISE_VARIANCE + np.diag(1.0 / variances)
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return Placement(center, covariance @ (design.T @ target / NOISE_VARIANCE + mean / variances), covariance)


def _describe(rows: Stored, center: float) -> Floats:
    """(n, 2 + m + d): 1, the known models' mean, how each departs from it, the basis."""
    mean = rows.others.mean(axis=1, keepdims=True)
    return np.hstack([np.ones_like(mean), mean - center, rows.others - mean, rows.basis])


def _prior(rows: Stored) -> tuple[Floats, Floats]:
    """Mean and variances of the coefficients: like the mean of the known models."""
    spread = np.sqrt((rows.basis**2).sum(axis=0) / max(len(rows.basis), 1))
    own = BASIS_STD / np.maximum(spread, LEAST_SPREAD)
    deviations = np.concatenate([[LEVEL_STD, SLOPE_STD], np.full(rows.others.shape[1], LIKENESS_STD), own])
    mean = np.zeros(len(deviations))
    mean[1] = 1.0
    return mean, deviations**2


class LinearPlacer:
    """Both steps over plain arrays: what `neuroforge.datasets.probe` asks for."""

    def choose(self, others: Floats, described: Floats, n_probes: int) -> NDArray[np.intp]:
        """Return the rows to ask, of (n, m) predicted qualities and (n, d) descriptions."""
        return choose_probes(Stored(others, described), n_probes)

    def expect(self, others: Floats, described: Floats, rows: NDArray[np.intp], scores: Floats) -> Floats:
        """Return the new model's quality on all n questions, (n,), by its scores on some rows."""
        asked = Stored(others[rows], described[rows])
        return place_model(Probes(asked, scores)).predict(Stored(others, described))[0]
