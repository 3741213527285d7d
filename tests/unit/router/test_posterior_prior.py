from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neuroforge.errors import DataError
from neuroforge.router.basis import N_EXAMPLES, N_TASKS
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.posterior_prior import PosteriorPrior
from tests.unit.router.tiny import word_embedder


class Fitted:
    def basis(self, features: FeatureMatrix) -> Any:
        return np.zeros((len(features), 3))

    def predict(self, features: FeatureMatrix) -> Any:
        return SimpleNamespace(quality=np.zeros((len(features), 2)))


@pytest.fixture
def embedder(tmp_path: Path) -> StaticEmbedder:
    return word_embedder(tmp_path, ["paris", "rome"])


def test_without_a_fit_the_basis_is_of_tasks_and_the_embedding(embedder: StaticEmbedder) -> None:
    prior_of = PosteriorPrior(embedder, lambda content, sha256: Fitted())

    assert prior_of(None).shape == (1 + N_TASKS + N_EXAMPLES,)


def test_with_a_fit_the_basis_is_the_fits_and_its_models(embedder: StaticEmbedder) -> None:
    asked: list[tuple[bytes, str]] = []

    def load(content: bytes, embedder_sha256: str) -> Fitted:
        asked.append((content, embedder_sha256))
        return Fitted()

    assert PosteriorPrior(embedder, load)(b"fit").shape == (1 + N_TASKS + 3 + 2,)
    assert asked == [(b"fit", embedder.sha256)]


def test_without_the_embedder_no_fit_is_taken() -> None:
    prior_of = PosteriorPrior(None, lambda content, sha256: Fitted())

    assert prior_of(None).shape == (1,)
    with pytest.raises(DataError, match="embedder is missing: neuroforge models pull"):
        prior_of(b"fit")
