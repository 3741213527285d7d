"""The vector that the online posteriors look at, with and without a fit."""

from pathlib import Path

import numpy as np
import pytest

from neuroforge.router.basis import N_EXAMPLES, N_TASKS, ExampleBasis, basis_of, basis_prior
from neuroforge.router.features import FeatureMatrix, extract_texts
from neuroforge.router.prototypes import PROTOTYPES
from tests.unit.router.tiny import word_embedder

EVEN = np.full(N_TASKS, 1.0 / N_TASKS)
WORDS = sorted({word for texts in PROTOTYPES.values() for text in texts for word in text.lower().split()})


class Fitted:
    def basis(self, features: FeatureMatrix) -> np.ndarray:
        return np.full((len(features), 3), 0.5, dtype=np.float32)


def test_it_is_one_then_tasks_then_what_the_fit_says(tmp_path: Path) -> None:
    features = extract_texts(["hello"], word_embedder(tmp_path, ["hello"]))
    shares = EVEN.copy()
    shares[0], shares[1] = 0.2, 0.0
    basis = basis_of(Fitted(), features, shares)
    assert basis == pytest.approx([1.0, 0.1, -0.1, *[0.0] * (N_TASKS - 2), 0.5, 0.5, 0.5])


def test_without_a_fit_a_text_belongs_most_to_the_example_that_it_repeats(tmp_path: Path) -> None:
    embedder = word_embedder(tmp_path, WORDS)
    texts = [text for examples in PROTOTYPES.values() for text in examples]
    shares = ExampleBasis(embedder).basis(extract_texts(texts, embedder))
    assert np.array_equal(shares.argmax(axis=1), np.arange(N_EXAMPLES))
    assert shares.sum(axis=1) == pytest.approx(np.zeros(N_EXAMPLES), abs=1e-9)


@pytest.mark.parametrize("text", ["", "\ud800", "zzzz qqqq", "a" * 10_000])
def test_any_text_has_a_finite_basis_of_the_same_length(tmp_path: Path, text: str) -> None:
    embedder = word_embedder(tmp_path, WORDS)
    basis = basis_of(ExampleBasis(embedder), extract_texts([text], embedder), EVEN)
    assert basis.shape == (1 + N_TASKS + N_EXAMPLES,)
    assert np.isfinite(basis).all()


def test_around_a_fit_the_prior_is_narrower_than_without_one() -> None:
    assert np.all(basis_prior(Fitted(), 14).variances < basis_prior(None, 14).variances)
