"""Training rows seen from the landmarks -> ridge fits for many targets, with predictions that leave each row out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from neuroforge.router.fit.kernel import Kernel, Points, View

Floats = NDArray[np.float64]

MAX_SAMPLE = 10_000
"""Rows whose left-out predictions are computed, and whose components are kept in memory."""
BLOCK = 8_192
FILL_PENALTY = 10.0
N_FILLS = 6
LEAST_SPREAD = 1e-3
"""Directions along which the landmarks spread less are left out: near-duplicates would make them noise."""


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
class Sight:
    """What the training rows look like from the landmarks: n rows, one view, gates if any.

    Blocks of similarities are worked out again at each pass: those of a million rows would not fit into memory.
    """

    kernel: Kernel
    view: View
    points: Points
    """(n, n_features)."""
    gates: Gates | None = None

    def rows(self, rows: slice | NDArray[np.intp]) -> Points:
        """Return these rows' similarities, (n_rows, n_landmarks)."""
        similarities = self.kernel.view(self.points[rows], self.view)
        if self.gates is not None:
            similarities *= self.gates.rows[rows] @ self.gates.landmarks.T
        return similarities

    def landmarks(self) -> Points:
        """Return the landmarks' similarities to each other."""
        similarities = self.kernel.view(self.kernel.landmarks, self.view)
        if self.gates is not None:
            similarities *= self.gates.landmarks @ self.gates.landmarks.T
        return similarities

    def blocks(self) -> Iterator[tuple[slice, Points]]:
        """Yield all rows' similarities."""
        for start in range(0, len(self.points), BLOCK):
            rows = slice(start, min(start + BLOCK, len(self.points)))
            yield rows, self.rows(rows)


@dataclass(frozen=True)
class Design:
    """Principal components of the rows in the kernel's space; `sample` are those that measure fits, left out."""

    sight: Sight
    sample: NDArray[np.intp]
    rotation: Points
    """(n_landmarks, n_components): similarities @ rotation - mean are a row's components."""
    mean: Floats
    values: Floats
    """(n_components,), ascending: the rows' second moments along the components."""
    components: Points
    """(n_sample, n_components)."""

    def __len__(self) -> int:
        return len(self.sight.points)

    @property
    def is_whole(self) -> bool:
        """Whether the sample is all rows."""
        return len(self.sample) == len(self)

    def solve(self, targets: Floats, penalties: tuple[float, ...]) -> list[LinearHead]:
        """Return one head a penalty for targets (n, n_targets)."""
        mean = targets.mean(axis=0)
        if self.is_whole:
            along = self._along(targets - mean)
        else:
            moment = np.zeros((len(self.rotation), targets.shape[1]))
            for rows, similarities in self.sight.blocks():
                moment += similarities.T @ (targets[rows] - mean).astype(np.float32)
            along = self.rotation.T @ moment
        return [self._head(along, targets[self.sample], mean, penalty) for penalty in penalties]

    def _along(self, targets: Floats) -> Floats:
        """Return (n_components, n_targets): the sample's moments, as if all rows had them."""
        return (self.components.T @ targets.astype(np.float32)).astype(np.float64) * (len(self) / len(self.sample))

    def _head(self, along: Floats, targets: Floats, mean: Floats, penalty: float) -> LinearHead:
        shares = 1 / (self.values + penalty)
        scaled = along * shares[:, None]
        fitted = self.components @ scaled.astype(np.float32) + mean
        own = np.minimum((self.components**2) @ shares.astype(np.float32) + 1 / len(self), 1 - 1e-6)[:, None]
        return LinearHead(
            weights=np.ascontiguousarray(self.rotation @ scaled, dtype=np.float32),
            bias=mean - self.mean @ scaled,
            left_out=(fitted - own * targets) / (1 - own),
        )

    def apply(self, head: LinearHead) -> Floats:
        """Return (n, n_targets) for all rows: left out for the sample, as fitted for the others."""
        if self.is_whole:
            return head.left_out
        out = np.concatenate([head.apply(similarities) for _, similarities in self.sight.blocks()])
        out[self.sample] = head.left_out
        return out

    def fill(self, targets: Floats, is_known: NDArray[np.bool_]) -> Floats:
        """Return the targets with what is unknown replaced by what the sample's known ones lead one to expect."""
        if is_known.all():
            return targets
        n_known = np.maximum(is_known.sum(axis=0), 1)
        means = (targets * is_known).sum(axis=0) / n_known
        gaps = ((targets - means) * is_known).sum(axis=1, keepdims=True) / (is_known.sum(axis=1, keepdims=True) + 1)
        filled = np.where(is_known, targets, means + gaps)
        own_targets, own_known = targets[self.sample], is_known[self.sample]
        own = filled[self.sample]
        for _ in range(N_FILLS):
            mean = own.mean(axis=0)
            head = self._head(self._along(own - mean), own, mean, FILL_PENALTY)
            own = np.where(own_known, own_targets, head.left_out)
        filled = np.where(is_known, targets, self.apply(head))
        filled[self.sample] = own
        return filled


def choose_sample(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return MAX_SAMPLE of n rows at random, or all of fewer, ascending."""
    return np.arange(n) if n <= MAX_SAMPLE else np.sort(rng.permutation(n)[:MAX_SAMPLE])


def build_design(sight: Sight, sample: NDArray[np.intp]) -> Design:
    """Return the design of the rows; where all are landmarks, in ascending order, it is exact.

    Source: subset of regressors, Williams and Seeger, "Using the Nyström method to speed up kernel machines", 2001.
    """
    n = len(sight.points)
    if len(sight.kernel.landmarks) == n:
        return _build_exact(sight, sample)
    whitening = _whiten(sight.landmarks())
    width = len(whitening)
    total, products = np.zeros(width), np.zeros((width, width))
    for _, similarities in sight.blocks():
        total += similarities.sum(axis=0, dtype=np.float64)
        products += similarities.T @ similarities
    mean = (total / n) @ whitening
    moments = whitening.T @ products @ whitening - n * np.outer(mean, mean)
    values, directions = eigh(moments, driver="evd", overwrite_a=True, check_finite=False)
    rotation = (whitening @ directions).astype(np.float32)
    mean = mean @ directions
    components = sight.rows(sample) @ rotation - mean.astype(np.float32)
    return Design(sight, sample, rotation, mean, np.maximum(values, 0), components)


def _build_exact(sight: Sight, sample: NDArray[np.intp]) -> Design:
    """Return the design by the eigenvectors of the rows' own centred similarities, in single precision."""
    own = sight.landmarks()
    column = own.mean(axis=0)
    own -= column
    own -= own.mean(axis=1, keepdims=True)
    values, vectors = eigh(own, driver="evd", overwrite_a=True, check_finite=False)
    kept = values > LEAST_SPREAD
    values, vectors = values[kept], vectors[:, kept]
    roots = np.sqrt(values)
    rotation = vectors / roots
    mean = (column @ rotation).astype(np.float64)
    vectors *= roots
    return Design(sight, sample, rotation, mean, values.astype(np.float64), vectors[sample])


def _whiten(own: Points) -> Floats:
    """Return (n_landmarks, n_kept): similarities times this are features whose products are the kernel's.

    Args:
        own: The landmarks' similarities to each other.
    """
    values, vectors = eigh(own, driver="evd", overwrite_a=True, check_finite=False)
    kept = values > LEAST_SPREAD
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]), dtype=np.float64)
