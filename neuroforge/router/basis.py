"""Features, task probabilities and a fit's directions -> a short vector that the online posteriors are linear in."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import FeatureMatrix, extract_texts
from neuroforge.router.prototypes import PROTOTYPES
from neuroforge.router.softmax import softmax

Floats = NDArray[np.float64]

N_TASKS = len(TASK_TYPES)
N_SHARED = 1 + N_TASKS
"""Columns with which every basis begins that is made without a fit."""
N_EXAMPLES = sum(len(texts) for texts in PROTOTYPES.values())
EMBEDDING_SCALE, MARK_SCALE = 4.0, 0.5
"""Of unit embeddings and standardised surface marks in the distance to an example: at these a text belongs to about
five of the examples."""
NEWCOMER_LEVEL_STD, NEWCOMER_TASK_STD, NEWCOMER_OWN_STD, NEWCOMER_LIKENESS_STD = 0.3, 0.1, 0.03, 0.3
"""Of a model that the fit does not know: as `place.py` believes."""
MIN_DEVIATION = 0.3
"""Of a mark among the examples: rarer ones would outweigh everything."""


class FittedBasis(Protocol):
    """What of a fitted router matters here."""

    def basis(self, features: FeatureMatrix) -> NDArray[np.floating]:
        """(n, d) low-dimensional description, each column about unit scale or below."""
        ...


class FittedQuality(Protocol):
    """What of a fit's prediction matters here."""

    @property
    def quality(self) -> NDArray[np.floating]:
        """(n, m)."""
        ...


class FittedModels(FittedBasis, Protocol):
    """A fitted router that knows m models."""

    def predict(self, features: FeatureMatrix) -> FittedQuality:
        """Quality of each model on each text."""
        ...


class LikenessBasis:
    """A fit's basis, and how far each of its models is from their mean: along these a new model is like a known one."""

    def __init__(self, fitted: FittedModels) -> None:
        self._fitted = fitted

    def basis(self, features: FeatureMatrix) -> Floats:
        """Return (n, d + m)."""
        return with_likeness(self._fitted.basis(features), self._fitted.predict(features).quality)


class BasisPrior(NamedTuple):
    """What is believed of a model's coefficients before its outcomes."""

    variances: Floats
    """(d,)."""


class ExampleBasis:
    """Stands in for a fit's basis before there is one: how much a text belongs to each of the examples."""

    def __init__(self, embedder: StaticEmbedder) -> None:
        examples = extract_texts([text for texts in PROTOTYPES.values() for text in texts], embedder)
        self._mean = examples.surface.mean(axis=0, dtype=np.float64)
        self._deviation = np.maximum(examples.surface.std(axis=0, dtype=np.float64), MIN_DEVIATION)
        self._points = self.place(examples)
        self._squares = (self._points**2).sum(axis=1)

    def basis(self, features: FeatureMatrix) -> Floats:
        """Return (n, n_examples): shares that sum to 1, less an even share."""
        return soft_shares(self.place(features), self._points, self._squares)

    def place(self, features: FeatureMatrix) -> Floats:
        """Return (n, dimension + n_surface): where distances are compared."""
        marks = (features.surface - self._mean) / self._deviation
        return np.hstack([EMBEDDING_SCALE * features.embedding.astype(np.float64), MARK_SCALE * marks])


def with_likeness(rows: NDArray[np.floating], quality: NDArray[np.floating]) -> Floats:
    """Return the fit's basis, (n, d), with the qualities of its models less their mean, (n, m), beside it."""
    whole = np.asarray(quality, dtype=np.float64)
    return np.hstack([np.asarray(rows, dtype=np.float64), whole - whole.mean(axis=1, keepdims=True)])


def newcomer_variances(n_basis: int, n_models: int) -> Floats:
    """Return what is believed of the coefficients of a model that the fit does not know, (n_basis,).

    They start from the mean of its `n_models` known ones; see docs/decisions/114.
    """
    deviations = np.full(n_basis, NEWCOMER_OWN_STD)
    deviations[0], deviations[1 : 1 + N_TASKS] = NEWCOMER_LEVEL_STD, NEWCOMER_TASK_STD
    deviations[n_basis - n_models :] = NEWCOMER_LIKENESS_STD
    return np.asarray(deviations**2)


def soft_shares(points: Floats, centres: Floats, squares: Floats) -> Floats:
    """Return (n, n_centres): how much each point belongs to each centre, summing to 1, less an even share.

    `squares` are the squared lengths of the centres.
    """
    return np.asarray(softmax(points @ centres.T - squares / 2) - 1.0 / len(squares))


def basis_of(described_by: FittedBasis | None, features: FeatureMatrix, task_probabilities: Floats) -> Floats:
    """Return (d,): 1, the task probabilities less an even share, and what the fit says of the text.

    Its length is fixed for a given fit.

    Args:
        described_by: The fit, or what stands in for it (ExampleBasis, ClusterBasis); None = nothing but the tasks.
        features: One conversation, a matrix of one row.
        task_probabilities: (N_TASKS,), in the order of TASK_TYPES.
    """
    shares = np.asarray(task_probabilities, dtype=np.float64) - 1.0 / N_TASKS
    described = np.zeros(0) if described_by is None else np.asarray(described_by.basis(features)[0], dtype=np.float64)
    return np.concatenate([[1.0], shares, described])


def basis_prior(fitted: FittedBasis | None, n_basis: int) -> BasisPrior:
    """Return the prior of coefficients of a basis of this length: narrow around a fit, wide without one."""
    level, task, rest = (0.05, 0.05, 0.01) if fitted is not None else (0.2, 0.1, 0.2)
    variances = np.full(n_basis, rest**2)
    variances[0] = level**2
    variances[1 : 1 + N_TASKS] = task**2
    return BasisPrior(variances)
