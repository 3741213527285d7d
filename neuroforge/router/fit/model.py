"""FittedRouter: features -> calibrated quality with intervals, and a short description for the online posteriors."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.features import FeatureMatrix
from neuroforge.router.fit.kernel import Kernel, Points
from neuroforge.router.fit.neighbours import Neighbours
from neuroforge.router.softmax import softmax

Floats = NDArray[np.float64]


class QualityPrediction(NamedTuple):
    """Per question and model, (n, n_models) each."""

    quality: Floats
    """Expected score, calibrated, 0..1."""
    low: Floats
    high: Floats
    """The score of ONE answer lies between them in 90 % of the cases, over all questions like those of the training
    file: scores of 0 and 1 make that wide. It is not an interval of the mean."""
    std: Floats
    """How uncertain `quality` itself is: falls with more outcomes near the question."""


@dataclass(frozen=True)
class Heads:
    """What is linear in the similarities to the landmarks: similarities @ weights + bias."""

    task: Points
    task_bias: Floats
    """(n_landmarks, n_tasks): margins of the task classes, or of latent clusters where the file names no tasks."""
    direct: Points
    direct_bias: Floats
    """(n_landmarks, n_models): scores less the models' means."""
    residual: Points
    residual_bias: Floats
    """(n_landmarks, n_models): what the task leaves unexplained, from similarities within the same task."""
    gates: Points
    """(n_landmarks, n_tasks), the landmarks' task probabilities."""
    component: Points
    component_bias: Floats
    """(n_landmarks, n_components): leading directions of the training questions, unit variance."""


@dataclass(frozen=True)
class Combination:
    """Weights of the bases, found on left-out predictions, and the calibration that follows."""

    means: Floats
    """(n_models,), shrunk to their common mean."""
    common: Floats
    difference: Floats
    """(n_bases,), for what all models share and for what tells them apart."""
    intercept: Floats
    slope: Floats
    """(n_models,)."""
    radius: Floats
    """(n_models,): 90 % of the left-out scores lie so close to their prediction."""
    noise: Floats
    """(n_models,), mean squared residual."""


@dataclass(frozen=True)
class Certainty:
    """How well the training questions cover a place."""

    weights: Points
    """(n_landmarks, n_directions), rows of the whitened space's leading directions."""
    bias: Floats
    values: Floats
    """(n_directions,), spread of the training rows along each."""
    penalty: float


@dataclass(frozen=True)
class FittedRouter:
    """Immutable; threads may share it."""

    embedder_sha256: str
    """Of the embedder whose features it reads."""
    n_outcomes: int
    """Questions it was fitted on."""
    model_ids: tuple[str, ...]
    tasks: tuple[str, ...]
    """Names of the task classes; `cluster-0`, ... where the file names none."""
    kernel: Kernel
    heads: Heads
    task_scores: Floats
    """(n_tasks, n_models), mean score by task less the models' means."""
    neighbours: Neighbours
    combination: Combination
    certainty: Certainty

    def predict(self, features: FeatureMatrix) -> QualityPrediction:
        """Return what each model is expected to score, one row a question."""
        points = self.kernel.points(features)
        similarities = self.kernel.similarities(points)
        bases = self._bases(points, similarities)
        combination = self.combination
        raw = combination.means + combine(bases, combination.common, combination.difference)
        quality = np.clip(combination.intercept + combination.slope * raw, 0, 1)
        leverage = self._leverage(similarities)
        return QualityPrediction(
            quality=quality,
            low=np.clip(quality - combination.radius, 0, 1),
            high=np.clip(quality + combination.radius, 0, 1),
            std=np.sqrt(np.outer(leverage, combination.noise)),
        )

    def basis(self, features: FeatureMatrix) -> Floats:
        """Return (n, n_tasks + n_components): task probabilities less an even share, then unit-variance components."""
        similarities = self.kernel.similarities(self.kernel.points(features))
        probabilities = self._task_probabilities(similarities)
        components = similarities @ self.heads.component + self.heads.component_bias
        return np.hstack([probabilities - 1 / len(self.tasks), np.clip(components, -4, 4)])

    def _task_probabilities(self, similarities: Points) -> Floats:
        return softmax(similarities @ self.heads.task + self.heads.task_bias)

    def _bases(self, points: Points, similarities: Points) -> list[Floats]:
        heads = self.heads
        probabilities = self._task_probabilities(similarities)
        return [
            probabilities @ self.task_scores,
            similarities @ heads.direct + heads.direct_bias,
            (similarities * (probabilities @ heads.gates.T)) @ heads.residual + heads.residual_bias,
            self.neighbours.average(self.neighbours.similarities(points)),
        ]

    def _leverage(self, similarities: Points) -> Floats:
        """Posterior variance of a Gaussian process in units of the noise: known directions, then all the others."""
        certainty = self.certainty
        squared = (similarities @ certainty.weights + certainty.bias) ** 2
        known = squared @ (1 / (certainty.values + certainty.penalty))
        unknown = np.maximum(1 - squared.sum(axis=1), 0) / (
            certainty.penalty + (certainty.values.min() if len(certainty.values) else 0.0)
        )
        return np.asarray(known + unknown, dtype=np.float64)


def combine(bases: list[Floats], common: Floats, difference: Floats) -> Floats:
    """Return the weighted sum of the bases; what all models share is weighted apart from their differences."""
    total = np.zeros_like(bases[0])
    for base, of_common, of_difference in zip(bases, common, difference, strict=True):
        shared = base.mean(axis=1, keepdims=True)
        total += of_common * shared + of_difference * (base - shared)
    return total
