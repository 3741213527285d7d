"""Features -> probabilities of the task types: a softmax regression on embedding and surface marks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.tasks import TASK_TYPES, TaskType
from neuroforge.errors import DataError
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.softmax import softmax
from neuroforge.router.surface import SURFACE_NAMES

Floats = NDArray[np.float64]

EMBEDDING_SCALE = 8.0
"""An embedding's entries are about 1/16, standardised marks about 1: this gives both a say."""
FIRST_MARK = SURFACE_NAMES.index("options")
"""Sizes and shares of characters stand before it and are left out: a long text is no other task than a short one."""
L2 = 0.02
"""Strength of the pull towards equal probabilities, in units of the mean loss."""
N_STEPS = 100
N_POWER_STEPS = 20
MIN_DEVIATION = 1e-3
MARK_LIMIT = 4.0
"""Marks further out than so many deviations count as this far."""


@dataclass(frozen=True)
class TaskHead:
    """A fitted classifier; immutable."""

    mark_mean: Floats
    mark_deviation: Floats
    """(n_marks,)."""
    weights: Floats
    """(dimension + n_marks, n_tasks)."""
    bias: Floats
    """(n_tasks,)."""

    def probabilities(self, features: FeatureMatrix) -> Floats:
        """Return (n, n_tasks) in the order of TASK_TYPES; each row sums to 1."""
        return softmax(self._inputs(features) @ self.weights + self.bias)

    def _inputs(self, features: FeatureMatrix) -> Floats:
        marks = (features.surface[:, FIRST_MARK:] - self.mark_mean) / self.mark_deviation
        return np.hstack([features.embedding * EMBEDDING_SCALE, np.clip(marks, -MARK_LIMIT, MARK_LIMIT)])


def fit_task_head(
    features: FeatureMatrix, labels: Sequence[TaskType], weights: Sequence[float] | None = None
) -> TaskHead:
    """Return the head that explains the labels best.

    Args:
        features: (n) texts.
        labels: (n,), the task of each.
        weights: (n,), how much each counts; None = all alike.
    Raises:
        DataError: No text, or another number of labels.
    """
    if not labels or len(labels) != len(features):
        raise DataError(f"{len(labels)} task labels for {len(features)} texts")
    n_tasks = len(TASK_TYPES)
    target = np.zeros((len(labels), n_tasks))
    target[np.arange(len(labels)), [TASK_TYPES.index(label) for label in labels]] = 1.0
    share = np.asarray(weights if weights is not None else np.ones(len(labels)), dtype=np.float64)
    share = (share / share.sum())[:, None]
    marks = features.surface[:, FIRST_MARK:].astype(np.float64)
    mean, deviation = marks.mean(axis=0), np.maximum(marks.std(axis=0), MIN_DEVIATION)
    n_inputs = features.embedding.shape[1] + len(mean)
    blank = TaskHead(mean, deviation, np.zeros((n_inputs, n_tasks)), np.zeros(n_tasks))
    inputs = blank._inputs(features)
    coefficients, bias = _descend(inputs, target, share)
    return TaskHead(mean, deviation, coefficients, bias)


def _descend(inputs: Floats, target: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Nesterov's accelerated gradient with the step that the largest curvature allows; the bias is not shrunk.

    einsum instead of matrix products: on a busy machine BLAS's threads wait for each other longer than they compute.
    """
    curvature = 0.5 * _largest_square(inputs * np.sqrt(share)) + 0.5 + L2
    columns = np.ascontiguousarray(inputs.T)
    weights = np.zeros((target.shape[1], inputs.shape[1]))
    bias = np.zeros(target.shape[1])
    ahead_weights, ahead_bias = weights, bias
    for step in range(1, N_STEPS + 1):
        scores = np.einsum("nd,td->nt", inputs, ahead_weights) + ahead_bias
        error = np.ascontiguousarray(((softmax(scores) - target) * share).T)
        new_weights = ahead_weights - (np.einsum("tn,dn->td", error, columns) + L2 * ahead_weights) / curvature
        new_bias = ahead_bias - error.sum(axis=1) / curvature
        momentum = step / (step + 3.0)
        ahead_weights = new_weights + momentum * (new_weights - weights)
        ahead_bias = new_bias + momentum * (new_bias - bias)
        weights, bias = new_weights, new_bias
    return np.ascontiguousarray(weights.T), bias


def _largest_square(matrix: Floats) -> float:
    """The square of the largest singular value, or a little more: by power iteration."""
    direction = np.ones(matrix.shape[1])
    length = 0.0
    for _ in range(N_POWER_STEPS):
        direction = matrix.T @ (matrix @ direction)
        length = float(np.linalg.norm(direction))
        if length == 0.0:
            return 0.0
        direction = direction / length
    return 1.1 * length
