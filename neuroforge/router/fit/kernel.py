"""Features -> points of one space -> similarities to landmarks, by all that is known or by one kind of feature."""

from dataclasses import dataclass
from functools import cached_property
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
        meaning, marks, tokens = (self._squared_distances(points, part) for part in self._parts)
        return Similarities(_fall(meaning + marks + tokens, WIDTH), _fall(meaning, WIDTH), _fall(marks, MARKS_WIDTH))

    def view(self, points: Points, view: View) -> Points:
        """Return one view's similarities, (n, n_landmarks), without working out the others."""
        if view == "whole":
            return _fall(self._squared_distances(points, slice(None)), WIDTH)
        meaning, marks, _ = self._parts
        if view == "meaning":
            return _fall(self._squared_distances(points, meaning), WIDTH)
        return _fall(self._squared_distances(points, marks), MARKS_WIDTH)

    def _squared_distances(self, points: Points, part: slice) -> Points:
        own = points[:, part]
        products = own @ self.landmarks[:, part].T
        products *= -2
        products += self._squared_lengths(part)
        products += (own**2).sum(axis=1, dtype=np.float32)[:, None]
        return products

    def _squared_lengths(self, part: slice) -> Points:
        rows = [self._parts.index(part)] if part in self._parts else [0, 1, 2]
        return np.asarray(self._squares[rows].sum(axis=0), dtype=np.float32)

    @cached_property
    def _parts(self) -> tuple[slice, slice, slice]:
        width = self.landmarks.shape[1]
        first, second = width - N_LEXICAL - N_SURFACE, width - N_LEXICAL
        return slice(0, first), slice(first, second), slice(second, width)

    @cached_property
    def _squares(self) -> Points:
        """(3, n_landmarks): squared lengths of the parts; worked out once, because every decision needs them."""
        parts = [(self.landmarks[:, part] ** 2).sum(axis=1) for part in self._parts]
        return np.asarray(parts, dtype=np.float32)


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
