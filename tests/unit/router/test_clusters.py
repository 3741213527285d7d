"""Kinds of requests found in a sample of the traffic."""

import numpy as np
import pytest

from neuroforge.errors import DataError
from neuroforge.router.clusters import MAGIC, MIN_MEMBERS, N_SAMPLE, Clusters, TrafficSample, find_clusters


def sample_of(centres: np.ndarray, n_each: int, spread: float = 0.1) -> TrafficSample:
    rng = np.random.default_rng(1)
    sample = TrafficSample()
    for centre in centres:
        for _ in range(n_each):
            sample.see(centre + spread * rng.normal(size=len(centre)))
    return sample


def nearest(centroids: np.ndarray, point: np.ndarray) -> float:
    return float(np.linalg.norm(centroids - point, axis=1).min())


def test_each_kind_has_a_centroid() -> None:
    centres = 10 * np.eye(3, 5)
    found = find_clusters(sample_of(centres, 100, 0.01), "hash")
    assert found is not None
    assert max(nearest(found.centroids, centre) for centre in centres) < 0.1


def test_no_centroid_stands_for_a_few_texts() -> None:
    sample = sample_of(10 * np.eye(2, 5), 100, 0.01)
    odd = np.full(5, -50.0)
    for number in range(MIN_MEMBERS - 1):
        sample.see(odd + 0.001 * number)
    found = find_clusters(sample, "hash")
    assert found is not None
    assert nearest(found.centroids, odd) > 50


def test_a_text_that_comes_again_and_again_counts_once() -> None:
    sample = TrafficSample()
    for _ in range(2 * N_SAMPLE):
        sample.see(np.ones(4))
    assert len(sample.points) == 1
    assert not sample.is_full


def test_a_sample_of_one_kind_gives_nothing() -> None:
    sample = TrafficSample()
    for number in range(MIN_MEMBERS):
        sample.see(np.full(3, float(number)))
    assert find_clusters(sample, "hash") is None


def test_the_same_sample_gives_the_same_kinds() -> None:
    centres = np.random.default_rng(3).normal(size=(6, 8))
    first, second = (find_clusters(sample_of(centres, 50, 0.5), "hash") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.to_bytes() == second.to_bytes()


def test_bytes_come_back_as_they_were() -> None:
    made = Clusters("hash", np.array([[1.0, 2.0], [3.0, 4.5]]))
    read = Clusters.from_bytes(made.to_bytes())
    assert read.embedder_sha256 == "hash"
    assert read.centroids.tolist() == [[1.0, 2.0], [3.0, 4.5]]


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", MAGIC + b"nonsense", Clusters("h", np.array([[1.0]])).to_bytes(),
     Clusters("h", np.array([[1.0], [np.nan]])).to_bytes()],
)  # fmt: skip
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="clusters"):
        Clusters.from_bytes(data)
