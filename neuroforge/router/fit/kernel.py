"""Features -> points of one space -> similarities to landmarks, by all that is known or by one kind of feature."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.embedder import TokenIds
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.surface import N_SURFACE

Floats = NDArray[np.float64]
Points = NDArray[np.float32]
View = Literal["whole", "meaning", "marks"]
"""By all features, by the embedding alone, by the surface marks alone."""

MAX_EXACT = 6_000
"""Rows that are all landmarks: the kernel is then exact."""
N_LANDMARKS = 2_000
"""Landmarks of larger files: time grows with the rows times their square."""
SURFACE_WEIGHT = 0.7
"""Mean squared length that the surface marks add to a point; the embedding adds 1."""
WIDTH, MARKS_WIDTH = 1.0, 0.7
"""Squared distance at which similarity has fallen to 1/e; two random texts are about 4 apart, their marks 1.4."""
VIEWS: dict[View, tuple[tuple[int, ...], float]] = {
    "whole": ((0, 1, 2), WIDTH),
    "meaning": ((0,), WIDTH),
    "marks": ((1,), MARKS_WIDTH),
}
"""Parts of a point (embedding, marks, tokens) whose squared distances add up, and the width."""
TOKENS = 2
"""The part of a point that is mostly zeros."""
N_LEXICAL = 256
"""Dimensions that a text's token counts are hashed into: what the mean of token vectors blurs."""
LEXICAL_WEIGHT = 0.5
"""Squared length that the tokens add to a point."""
MARK_LIMIT = 4.0
"""A mark further out than so many standard deviations counts as this far."""


class Similarities(NamedTuple):
    """(n, n_landmarks) each, 0..1."""

    whole: Points
    meaning: Points
    marks: Points


@dataclass(frozen=True)
class Kernel:
    """exp(-squared distance / width) to landmarks, which are rows of the training file."""

    surface_mean: Points
    surface_scale: Points
    """(n_surface,)."""
    token_weights: Points
    """(n_tokens,): sign and rarity of each token; 0 for those that tell nothing."""
    landmarks: Points
    """(n_landmarks, dimension + n_surface + N_LEXICAL)."""

    def points(self, features: FeatureMatrix) -> Points:
        """Return (n, dimension + n_surface + N_LEXICAL)."""
        n_embedding = features.embedding.shape[1]
        points = np.empty((len(features), n_embedding + N_SURFACE + N_LEXICAL), dtype=np.float32)
        points[:, :n_embedding] = features.embedding
        marks = points[:, n_embedding:-N_LEXICAL]
        np.multiply(features.surface - self.surface_mean, self.surface_scale, out=marks)
        limit = MARK_LIMIT * np.sqrt(SURFACE_WEIGHT / N_SURFACE)
        np.clip(marks, -limit, limit, out=marks)
        for row, ids in enumerate(features.token_rows()):
            points[row, -N_LEXICAL:] = hash_tokens(ids, self.token_weights)
        return points

    def similarities(self, points: Points) -> Similarities:
        """Return all views of (n, dimension + n_surface + N_LEXICAL) points."""
        meaning, marks, tokens = self._distances(points, (0, 1, 2))
        tokens += meaning
        tokens += marks
        return Similarities(_fall(tokens, WIDTH), _fall(meaning, WIDTH), _fall(marks, MARKS_WIDTH))

    def view(self, points: Points, view: View) -> Points:
        """Return one view's similarities, (n, n_landmarks), without working out the others."""
        parts, width = VIEWS[view]
        first, *others = self._distances(points, parts)
        for other in others:
            first += other
        return _fall(first, width)

    def _distances(self, points: Points, parts: tuple[int, ...]) -> list[Points]:
        """Return squared distances to the landmarks by embedding (0), marks (1), tokens (2), (n, n_landmarks) each."""
        found = []
        for part in parts:
            columns, landmarks, squares = self._parts[part]
            own = points[:, columns]
            if part == TOKENS and len(own) == 1:
                used = np.flatnonzero(own[0])
                squared = own[:, used] @ landmarks[used]
            else:
                squared = own @ landmarks
            squared *= -2
            squared += squares
            squared += (own**2).sum(axis=1, dtype=np.float32)[:, None]
            found.append(squared)
        return found

    @cached_property
    def _parts(self) -> tuple[tuple[slice, Points, Points], ...]:
        """Columns, landmarks (n_columns, n_landmarks) and their squared lengths by part, each in one stretch of memory.

        A single question has some 15 different tokens: only their columns of the landmarks are read.
        """
        width = self.landmarks.shape[1]
        borders = (0, width - N_LEXICAL - N_SURFACE, width - N_LEXICAL, width)
        parts = []
        for start, stop in pairwise(borders):
            landmarks = np.ascontiguousarray(self.landmarks[:, start:stop].T)
            parts.append((slice(start, stop), landmarks, (landmarks**2).sum(axis=0, dtype=np.float32)))
        return tuple(parts)


def hash_tokens(ids: TokenIds, weights: Points) -> Points:
    """Return (N_LEXICAL,), of length sqrt(LEXICAL_WEIGHT): the weights of the different tokens, hashed into columns."""
    different = np.unique(ids)
    different = different[different < len(weights)]
    columns = np.bincount(different % N_LEXICAL, weights=weights[different], minlength=N_LEXICAL)
    length = float(np.sqrt((columns**2).sum()))
    return np.asarray(columns * (LEXICAL_WEIGHT**0.5 / max(length, 1e-9)), dtype=np.float32)


def fit_kernel(features: FeatureMatrix, rng: np.random.Generator) -> tuple[Kernel, NDArray[np.intp]]:
    """Return the kernel, whose landmarks are rows at random or all of few rows, and the landmarks' rows, ascending."""
    mean, deviation = features.surface.mean(axis=0), features.surface.std(axis=0)
    weight = np.sqrt(SURFACE_WEIGHT / len(mean))
    scale = np.where(deviation > 1e-6, weight / np.maximum(deviation, 1e-6), 0).astype(np.float32)
    token_weights = _weigh_tokens(features, rng)
    rows = np.sort(rng.permutation(len(features))[: count_landmarks(len(features))])
    blank = Kernel(mean, scale, token_weights, np.zeros((0, 0), dtype=np.float32))
    return Kernel(mean, scale, token_weights, blank.points(features.take(rows))), rows


def _weigh_tokens(features: FeatureMatrix, rng: np.random.Generator) -> Points:
    """Return log inverse document frequencies with random signs; a token of a single row tells nothing."""
    n_tokens = int(features.tokens.max(initial=-1)) + 1
    n_rows = np.zeros(n_tokens)
    for ids in features.token_rows():
        n_rows[np.unique(ids)] += 1
    rarity = np.where(n_rows > 1, np.log((1 + len(features)) / (1 + n_rows)), 0)
    return np.asarray(rarity * rng.choice([-1.0, 1.0], n_tokens), dtype=np.float32)


def count_landmarks(n: int) -> int:
    """Return how many of n rows become landmarks."""
    return n if n <= MAX_EXACT else N_LANDMARKS


def _fall(squared: Points, width: float) -> Points:
    """Return exp(-squared / width), in the place of `squared`."""
    np.maximum(squared, 0, out=squared)
    squared *= np.float32(-1 / width)
    return np.exp(squared, out=squared)
