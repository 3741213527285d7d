"""FittedRouter: features -> calibrated quality with intervals, and a short description for the online posteriors."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.features import FeatureMatrix
from neuroforge.router.fit.kernel import Kernel, Points, Similarities
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
    meaning: Points
    meaning_bias: Floats
    """(n_landmarks, n_models): what the task leaves unexplained, from embeddings' similarities within the same task."""
    marks: Points
    marks_bias: Floats
    """As `meaning`, from the surface marks' similarities."""
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
    """(n_bases,), for what all models share."""
    difference: Floats
    """(n_tasks, n_bases), for what tells them apart: what helps in one task may be noise in another."""
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
    rest: float
    """Spread that is assumed along every other direction."""
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
    combination: Combination
    certainty: Certainty

    def predict(self, features: FeatureMatrix) -> QualityPrediction:
        """Return what each model is expected to score, one row a question."""
        similarities = self._see(features)
        probabilities = self._task_probabilities(similarities.whole)
        combination = self.combination
        raw = combination.means + combine(
            self._bases(similarities, probabilities), probabilities, combination.common, combination.difference
        )
        quality = np.clip(combination.intercept + combination.slope * raw, 0, 1)
        leverage = self._leverage(similarities.whole)
        return QualityPrediction(
            quality=quality,
            low=np.clip(quality - combination.radius, 0, 1),
            high=np.clip(quality + combination.radius, 0, 1),
            std=np.sqrt(np.outer(leverage, combination.noise)),
        )

    def basis(self, features: FeatureMatrix) -> Floats:
        """Return (n, n_tasks + n_components): task probabilities less an even share, then unit-variance components."""
        similarities = self._see(features).whole
        probabilities = self._task_probabilities(similarities)
        components = similarities @ self.heads.component + self.heads.component_bias
        return np.hstack([probabilities - 1 / len(self.tasks), np.clip(components, -4, 4)])

    def _see(self, features: FeatureMatrix) -> Similarities:
        """A request is asked for its basis and then for its predictions: what a single row looked like is kept."""
        seen, similarities = self._last[0]
        if similarities is None or seen is not features:
            similarities = self.kernel.similarities(self.kernel.points(features))
            if len(features) == 1:
                self._last[0] = (features, similarities)
        return similarities

    @cached_property
    def _last(self) -> list[tuple[FeatureMatrix | None, Similarities | None]]:
        """One entry, replaced as a whole, so that threads see a row with its own similarities."""
        return [(None, None)]

    def _task_probabilities(self, whole: Points) -> Floats:
        return softmax(whole @ self.heads.task + self.heads.task_bias)

    def _bases(self, similarities: Similarities, probabilities: Floats) -> list[Floats]:
        heads = self.heads
        gates = probabilities.astype(np.float32) @ heads.gates.T
        return [
            probabilities @ self.task_scores,
            similarities.whole @ heads.direct + heads.direct_bias,
            (similarities.meaning * gates) @ heads.meaning + heads.meaning_bias,
            (similarities.marks * gates) @ heads.marks + heads.marks_bias,
        ]

    def _leverage(self, whole: Points) -> Floats:
        """Posterior variance of a Gaussian process in units of the noise: known directions, then all the others."""
        certainty = self.certainty
        squared = (whole @ certainty.weights + certainty.bias) ** 2
        known = squared @ (1 / (certainty.values + certainty.penalty))
        others = np.maximum(1 - squared.sum(axis=1), 0) / (certainty.rest + certainty.penalty)
        return np.asarray(known + others, dtype=np.float64)


def combine(bases: list[Floats], probabilities: Floats, common: Floats, difference: Floats) -> Floats:
    """Return the weighted sum of the bases: what all models share by `common`, their differences by the task's weights.

    Args:
        bases: (n, n_models) each.
        probabilities: (n, n_tasks), each row's tasks.
        common, difference: As in Combination.
    """
    total = np.zeros_like(bases[0])
    weights = probabilities @ difference
    for base, of_common, of_difference in zip(bases, common, weights.T, strict=True):
        shared = base.sum(axis=1, keepdims=True) / base.shape[1]
        total += of_common * shared + of_difference[:, None] * (base - shared)
    return total
