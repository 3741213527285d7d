"""A fit's bytes -> what is believed of the online coefficients before any outcome; also the check that a fit loads."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neuroforge.errors import DataError
from neuroforge.router.basis import N_SHARED, N_TASKS, ExampleBasis, FittedModels, LikenessBasis, basis_of, basis_prior
from neuroforge.router.clusters import MAGIC, Clusters
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts

LoadFit = Callable[[bytes, str], FittedModels]
"""Bytes of a fit and the embedder's SHA-256 -> the fit. Raises DataError."""


class PosteriorPrior:
    """Knows the embedder that the gateways use: a fit that was made with another one is of no use."""

    def __init__(self, embedder: StaticEmbedder | None, load_fit: LoadFit) -> None:
        """No embedder = it could not be loaded: no fit can be applied then, and nothing is learned from outcomes."""
        self._embedder = embedder
        self._load_fit = load_fit

    def __call__(self, content: bytes | None) -> NDArray[np.float64]:
        """Return the variances of the coefficients, (d,).

        Args:
            content: As `router_bytes` or Clusters made it; None = no fit.
        Raises:
            DataError: Damaged, of another version, or made with another embedder.
        """
        if self._embedder is None:
            if content is not None:
                raise DataError("the router's embedder is missing: neuroforge models pull potion-base-8m, then restart")
            return np.ones(1)
        if content is not None and content.startswith(MAGIC):
            return self._of_clusters(Clusters.from_bytes(content))
        fitted = None if content is None else self._load_fit(content, self._embedder.sha256)
        described_by = ExampleBasis(self._embedder) if fitted is None else LikenessBasis(fitted)
        n_basis = len(basis_of(described_by, extract_texts([""], self._embedder), np.full(N_TASKS, 1.0 / N_TASKS)))
        return np.asarray(basis_prior(fitted, n_basis).variances, dtype=np.float64)

    def _of_clusters(self, clusters: Clusters) -> NDArray[np.float64]:
        if self._embedder is None or clusters.embedder_sha256 != self._embedder.sha256:
            raise DataError("the traffic's clusters were found with another embedder")
        return np.asarray(basis_prior(None, N_SHARED + len(clusters.centroids)).variances, dtype=np.float64)
