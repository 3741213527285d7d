"""Features -> points of one space -> similarity to landmarks: the nonlinear view that every base shares."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from neuroforge.router.embedder import TokenIds
from neuroforge.router.features import FeatureMatrix

Floats = NDArray[np.float64]
Points = NDArray[np.float32]

N_LANDMARKS = 2_000
SURFACE_WEIGHT = 0.7
"""Mean squared length that the surface marks add to a point; the embedding adds 1."""
WIDTH = 1.0
"""Squared distance at which similarity has fallen to 1/e; two random texts are about 4 apart."""
N_LEXICAL = 256
"""Dimensions that a text's token counts are hashed into: what the mean of token vectors blurs."""
LEXICAL_WEIGHT = 0.5
"""Squared length that the tokens add to a point."""
MARK_LIMIT = 4.0
"""A mark further out than so many standard deviations counts as this far."""
JITTER = 1e-4
"""Added to the landmarks' own similarities: near-duplicates would make them singular."""


@dataclass(frozen=True)
class Kernel:
    """exp(-squared distance / WIDTH) to landmarks, which are rows of the training file."""

    surface_mean: Points
    surface_scale: Points
    """(n_surface,)."""
    token_weights: Points
    """(n_tokens,): sign and rarity of each token; 0 for those that tell nothing."""
    landmarks: Points
    """(n_landmarks, dimension + n_surface + N_LEXICAL)."""

    def points(self, features: FeatureMatrix) -> Points:
        """Return (n, dimension + n_surface + N_LEXICAL)."""
        marks = (features.surface - self.surface_mean) * self.surface_scale
        limit = MARK_LIMIT * np.sqrt(SURFACE_WEIGHT / marks.shape[1])
        tokens = np.zeros((len(features), N_LEXICAL), dtype=np.float32)
        for row, ids in enumerate(features.token_rows()):
            tokens[row] = hash_tokens(ids, self.token_weights)
        return np.hstack([features.embedding, np.clip(marks, -limit, limit), tokens]).astype(np.float32)

    def similarities(self, points: Points) -> Points:
        """Return (n, n_landmarks), 0..1."""
        return similarity(points, self.landmarks, WIDTH, self._squares)

    @cached_property
    def _squares(self) -> Points:
        return squared_lengths(self.landmarks)


def hash_tokens(ids: TokenIds, weights: Points) -> Points:
    """Return (N_LEXICAL,), of length sqrt(LEXICAL_WEIGHT): the weights of the different tokens, hashed into columns."""
    different = np.unique(ids)
    different = different[different < len(weights)]
    columns = np.bincount(different % N_LEXICAL, weights=weights[different], minlength=N_LEXICAL)
    length = float(np.sqrt((columns**2).sum()))
    return np.asarray(columns * (LEXICAL_WEIGHT**0.5 / max(length, 1e-9)), dtype=np.float32)


def fit_kernel(features: FeatureMatrix, rng: np.random.Generator) -> tuple[Kernel, NDArray[np.intp]]:
    """Return the kernel whose landmarks are N_LANDMARKS rows at random, or all of fewer rows, and these rows."""
    mean, deviation = features.surface.mean(axis=0), features.surface.std(axis=0)
    weight = np.sqrt(SURFACE_WEIGHT / len(mean))
    scale = np.where(deviation > 1e-6, weight / np.maximum(deviation, 1e-6), 0).astype(np.float32)
    token_weights = _weigh_tokens(features, rng)
    rows = np.sort(rng.permutation(len(features))[:N_LANDMARKS])
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


def squared_lengths(points: Points) -> Points:
    """Return (n,); of points that are compared again and again they are worked out once."""
    return np.asarray((points**2).sum(axis=1), dtype=np.float32)


def similarity(points: Points, others: Points, width: float, squares: Points) -> Points:
    """Return exp(-squared distance / width), (n_points, n_others); `squares` are the squared lengths of the others."""
    squared = squared_lengths(points)[:, None] + squares - 2 * (points @ others.T)
    return np.asarray(np.exp(np.maximum(squared, 0) / np.float32(-width)), dtype=np.float32)


def whiten(own: Points) -> Points:
    """Return (n_landmarks, n_landmarks): similarities times this are features whose products are the kernel's.

    Args:
        own: The landmarks' similarities to each other.
    """
    lower = cholesky(own.astype(np.float64) + JITTER * np.eye(len(own)), lower=True)
    return np.asarray(solve_triangular(lower, np.eye(len(own)), lower=True).T, dtype=np.float32)
