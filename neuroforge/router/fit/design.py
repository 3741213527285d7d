"""Training rows seen from the landmarks -> ridge fits for many targets, with predictions that leave each row out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.fit.kernel import Kernel, Points, whiten

Floats = NDArray[np.float64]

MAX_SAMPLE = 10_000
"""Rows whose left-out predictions are computed, and whose similarities are kept in memory."""
BLOCK = 8_192
FILL_PENALTY = 10.0
N_FILLS = 6


class Gates(NamedTuple):
    """Task probabilities that make two questions as similar as their tasks are: similarity * rows @ landmarks'."""

    rows: Points
    """(n, n_tasks), of the training rows."""
    landmarks: Points
    """(n_landmarks, n_tasks)."""


class LinearHead(NamedTuple):
    """similarities @ weights + bias, and what each sample row would have got without itself."""

    weights: Points
    """(n_landmarks, n_targets)."""
    bias: Floats
    """(n_targets,)."""
    left_out: Floats
    """(n_sample, n_targets)."""

    def apply(self, similarities: Points) -> Floats:
        """Return (n, n_targets)."""
        return np.asarray(similarities @ self.weights + self.bias, dtype=np.float64)


@dataclass(frozen=True)
class Design:
    """n training rows; `sample` are those that measure how well a fit does on rows it has not seen."""

    kernel: Kernel
    points: Points
    """(n, n_features)."""
    gates: Gates | None
    sample: NDArray[np.intp]
    sample_similarities: Points
    """(n_sample, n_landmarks), with the gates applied."""
    whitening: Points
    mean: Floats
    """(n_landmarks,), of the whitened rows."""
    values: Floats
    """(n_landmarks,), ascending: the rows' second moments along the directions."""
    directions: Points
    """(n_landmarks, n_landmarks), one a column."""
    rotated: Points
    """(n_sample, n_landmarks): the sample's whitened, centred rows along the directions."""

    def blocks(self) -> Iterator[tuple[slice, Points]]:
        """Yield all rows' similarities, computed again unless the sample is all rows."""
        yield from _blocks(self.kernel, self.points, self.gates, self.sample_similarities)

    def solve(self, targets: Floats, penalties: tuple[float, ...]) -> list[LinearHead]:
        """Return one head a penalty for targets (n, n_targets)."""
        mean = targets.mean(axis=0)
        moment = np.zeros((len(self.mean), targets.shape[1]))
        for rows, similarities in self.blocks():
            moment += similarities.T @ (targets[rows] - mean).astype(np.float32)
        along = self.directions.T @ (self.whitening.T @ moment)
        squared, n = self.rotated**2, len(targets)
        return [self._head(along, targets[self.sample], mean, squared, penalty, n) for penalty in penalties]

    def _head(
        self, along: Floats, targets: Floats, mean: Floats, squared: Points, penalty: float, n: int
    ) -> LinearHead:
        scaled = along / (self.values + penalty)[:, None]
        weights = self.directions @ scaled
        fitted = self.rotated @ scaled.astype(np.float32) + mean
        own = np.minimum(squared @ (1 / (self.values + penalty)) + 1 / n, 1 - 1e-6)[:, None]
        return LinearHead(
            weights=(self.whitening @ weights).astype(np.float32),
            bias=mean - self.mean @ weights,
            left_out=(fitted - own * targets) / (1 - own),
        )

    def apply(self, head: LinearHead) -> Floats:
        """Return (n, n_targets) for all rows: left out for the sample, as fitted for the others."""
        if len(self.sample) == len(self.points):
            return head.left_out
        out = np.concatenate([head.apply(similarities) for _, similarities in self.blocks()])
        out[self.sample] = head.left_out
        return out

    def fill(self, targets: Floats, is_known: NDArray[np.bool_]) -> Floats:
        """Return the targets with what is unknown replaced by what the known ones lead one to expect."""
        if is_known.all():
            return targets
        n_known = np.maximum(is_known.sum(axis=0), 1)
        means = (targets * is_known).sum(axis=0) / n_known
        gaps = ((targets - means) * is_known).sum(axis=1, keepdims=True) / (is_known.sum(axis=1, keepdims=True) + 1)
        filled = np.where(is_known, targets, means + gaps)
        for _ in range(N_FILLS):
            head = self.solve(filled, (FILL_PENALTY,))[0]
            filled = np.where(is_known, targets, self.apply(head))
        return filled


def build_design(kernel: Kernel, points: Points, rng: np.random.Generator, gates: Gates | None = None) -> Design:
    """Return the design of these rows; with gates what is learned of one task does not spread to others."""
    n = len(points)
    sample = np.arange(n) if n <= MAX_SAMPLE else np.sort(rng.permutation(n)[:MAX_SAMPLE])
    sample_similarities = _gate(kernel.similarities(points[sample]), gates, sample)
    own = kernel.similarities(kernel.landmarks)
    whitening = whiten(own if gates is None else own * (gates.landmarks @ gates.landmarks.T))
    width = len(kernel.landmarks)
    total, products = np.zeros(width), np.zeros((width, width))
    for _, similarities in _blocks(kernel, points, gates, sample_similarities):
        total += similarities.sum(axis=0, dtype=np.float64)
        products += similarities.T @ similarities
    mean = (total / n) @ whitening
    moments = whitening.T.astype(np.float64) @ products @ whitening - n * np.outer(mean, mean)
    values, directions = np.linalg.eigh(moments)
    directions32 = directions.astype(np.float32)
    whitened = sample_similarities @ whitening - mean.astype(np.float32)
    rotated = np.asarray(whitened @ directions32, dtype=np.float32)
    return Design(
        kernel=kernel,
        points=points,
        gates=gates,
        sample=sample,
        sample_similarities=sample_similarities,
        whitening=whitening,
        mean=mean,
        values=np.maximum(values, 0),
        directions=directions32,
        rotated=rotated,
    )


def _blocks(kernel: Kernel, points: Points, gates: Gates | None, of_sample: Points) -> Iterator[tuple[slice, Points]]:
    if len(of_sample) == len(points):
        yield slice(0, len(points)), of_sample
        return
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, _gate(kernel.similarities(points[rows]), gates, rows)


def _gate(similarities: Points, gates: Gates | None, rows: slice | NDArray[np.intp]) -> Points:
    if gates is None:
        return similarities
    return np.asarray(similarities * (gates.rows[rows] @ gates.landmarks.T), dtype=np.float32)
