"""A sample of the traffic -> centroids of its kinds: a basis for the online posteriors that fits these requests.

What leaves the process are means of many different texts; the sample itself is never written or sent anywhere.
"""

import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from neuroforge.errors import DataError
from neuroforge.router.basis import ExampleBasis, soft_shares
from neuroforge.router.features import FeatureMatrix

Floats = NDArray[np.float64]

PREFIX = "clusters-"
"""Of the id under which a basis of clusters stands where a fit's id stands."""
MAGIC = b"neuroforge.clusters.1\n"
"""What its bytes begin with."""
N_SAMPLE = 512
"""Different texts from which the kinds are found."""
N_CLUSTERS = 32
MIN_MEMBERS = 8
"""Texts behind a centroid: with fewer it would tell of single ones."""
N_ROUNDS = 25


@dataclass(frozen=True)
class Clusters:
    """Kinds of requests."""

    embedder_sha256: str
    centroids: Floats
    """(k, dimension), in the space of `ExampleBasis.place`."""

    def to_bytes(self) -> bytes:
        """Return everything as safetensors."""
        head = json.dumps({"embedder_sha256": self.embedder_sha256}).encode()
        tensors: dict[str, NDArray[np.generic]] = {
            "centroids": self.centroids.astype(np.float32),
            "head": np.frombuffer(head, dtype=np.uint8),
        }
        return MAGIC + bytes(save(tensors))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Clusters":
        """Return what `to_bytes` wrote.

        Raises:
            DataError: Not such bytes, of another version, or not finite.
        """
        try:
            tensors = load(data.removeprefix(MAGIC))
            head = json.loads(tensors["head"].tobytes())
            made = cls(head["embedder_sha256"], tensors["centroids"].astype(np.float64))
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise DataError(f"not the bytes of clusters: {error}") from error
        if made.centroids.ndim != 2 or len(made.centroids) < 2 or not np.isfinite(made.centroids).all():
            raise DataError(f"clusters of shape {made.centroids.shape}: at least two finite rows are needed")
        return made


@dataclass
class TrafficSample:
    """Different texts of the traffic, in memory only. Not safe for use by several threads at once."""

    points: dict[bytes, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether it is enough."""
        return len(self.points) >= N_SAMPLE

    def see(self, point: Floats) -> None:
        """Take one request's place, (dimension,); the same text counts once."""
        row = point.astype(np.float32)
        if not self.is_full:
            self.points[row.tobytes()] = row


class ClusterBasis:
    """How much a text belongs to each kind."""

    def __init__(self, examples: ExampleBasis, clusters: Clusters) -> None:
        self._examples = examples
        self._centroids = clusters.centroids
        self._squares = (clusters.centroids**2).sum(axis=1)

    def basis(self, features: FeatureMatrix) -> Floats:
        """Return (n, k): shares that sum to 1, less an even share."""
        return soft_shares(self._examples.place(features), self._centroids, self._squares)


def find_clusters(sample: TrafficSample, embedder_sha256: str) -> Clusters | None:
    """Return the kinds of a sample, the same for the same sample; None where it has not even two of MIN_MEMBERS texts.

    Takes a few tenths of a second: not in the event loop.
    """
    points = np.array(list(sample.points.values()), dtype=np.float64)
    centroids = _settle(points, _spread_out(points, np.random.default_rng(0)))
    members = np.bincount(_nearest(points, centroids), minlength=len(centroids))
    centroids = centroids[members >= MIN_MEMBERS]
    if len(centroids) < 2:
        return None
    return Clusters(embedder_sha256, centroids)


def _spread_out(points: Floats, rng: np.random.Generator) -> Floats:
    """Source: k-means++, Arthur and Vassilvitskii, SODA 2007."""
    chosen = [int(rng.integers(len(points)))]
    distances = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < N_CLUSTERS and distances.sum() > 0:
        chosen.append(int(rng.choice(len(points), p=distances / distances.sum())))
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _settle(points: Floats, centroids: Floats) -> Floats:
    """Lloyd's algorithm; a centroid without members stays where it is."""
    for _ in range(N_ROUNDS):
        nearest = _nearest(points, centroids)
        members = np.bincount(nearest, minlength=len(centroids))[:, None]
        sums = np.zeros_like(centroids)
        np.add.at(sums, nearest, points)
        centroids = np.where(members > 0, sums / np.maximum(members, 1), centroids)
    return centroids


def _nearest(points: Floats, centroids: Floats) -> NDArray[np.intp]:
    return np.asarray((points @ centroids.T - (centroids**2).sum(axis=1) / 2).argmax(axis=1), dtype=np.intp)
