"""The baseline that a router must beat: mean scores of the k nearest training questions by embedding."""

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.embedder import Vectors
from neuroforge.router.fit.data import OutcomeTable

Floats = NDArray[np.float64]

CANDIDATES = (10, 20, 50, 100, 200)
MAX_ROWS = 20_000
"""Of a larger training file the first so many of a random order are searched."""
MAX_TUNING_ROWS = 2_000
BLOCK = 1_024


class NearestRouter:
    """k is the candidate that would have chosen best for training rows, each left out in turn."""

    def __init__(self, table: OutcomeTable, embedding: Vectors, seed: int = 0) -> None:
        rows = np.random.default_rng(seed).permutation(len(table))[:MAX_ROWS]
        self._embedding = embedding[rows]
        self._known = table.is_known[rows].astype(np.float64)
        self._sums = table.scores[rows] * self._known
        self._means = self._sums.sum(axis=0) / np.maximum(self._known.sum(axis=0), 1)
        tuning = np.arange(min(len(rows), MAX_TUNING_ROWS))
        fitting = [k for k in CANDIDATES if k < len(rows)] or [max(len(rows) - 1, 1)]
        values = [self._value(k, tuning) for k in fitting]
        self.k = fitting[int(np.argmax(values))]

    def predict(self, embedding: Vectors) -> Floats:
        """Return (n, n_models), mean scores of the k nearest; a model that none of them knows gets its mean."""
        return self._average(embedding, self.k, None)

    def _value(self, k: int, rows: NDArray[np.intp]) -> float:
        predicted = self._average(self._embedding[rows], k, rows)
        known = self._known[rows] > 0
        chosen = np.where(known, predicted, -np.inf).argmax(axis=1)
        return float(self._sums[rows, chosen].mean())

    def _average(self, embedding: Vectors, k: int, own: NDArray[np.intp] | None) -> Floats:
        parts = []
        for start in range(0, len(embedding), BLOCK):
            similarity = embedding[start : start + BLOCK] @ self._embedding.T
            if own is not None:
                similarity[np.arange(len(similarity)), own[start : start + BLOCK]] = -np.inf
            k_here = min(k, similarity.shape[1])
            nearest = np.argpartition(-similarity, k_here - 1, axis=1)[:, :k_here]
            counts = self._known[nearest].sum(axis=1)
            means = self._sums[nearest].sum(axis=1) / np.maximum(counts, 1)
            parts.append(np.where(counts > 0, means, self._means))
        return np.concatenate(parts)
