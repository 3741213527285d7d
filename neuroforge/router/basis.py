"""Features, task probabilities and a fit's predictions -> a short vector that the online posteriors are linear in."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.router.features import FeatureMatrix

Floats = NDArray[np.float64]

N_TASKS = len(TASK_TYPES)
N_COMPONENTS = 32
"""Leading directions of the embedding: model2vec orders them by variance."""


class FittedBasis(Protocol):
    """What of a fitted router matters here."""

    def basis(self, features: FeatureMatrix) -> NDArray[np.floating]:
        """(n, d) low-dimensional description, each column about unit scale."""
        ...


class BasisPrior(NamedTuple):
    """What is believed of a model's coefficients before its outcomes."""

    variances: Floats
    """(d,)."""


def basis_of(fitted: FittedBasis | None, features: FeatureMatrix, task_probabilities: Floats) -> Floats:
    """Return (d,): 1, the task probabilities less their mean, and what the fit (or the embedding) says of the text.

    Its length is fixed for a given fit, and for no fit.

    Args:
        fitted: None = no fit was applied: leading components of the embedding stand in.
        features: One conversation, a matrix of one row.
        task_probabilities: (N_TASKS,), in the order of TASK_TYPES.
    """
    described = np.asarray(fitted.basis(features)[0], dtype=np.float64) if fitted is not None else _components(features)
    return np.concatenate([[1.0], np.asarray(task_probabilities) - 1.0 / N_TASKS, described])


def _components(features: FeatureMatrix) -> Floats:
    row = np.asarray(features.embedding[0], dtype=np.float64)
    out: Floats = np.zeros(N_COMPONENTS)
    out[: min(N_COMPONENTS, len(row))] = row[:N_COMPONENTS] * np.sqrt(len(row))
    return out


def basis_prior(fitted: FittedBasis | None, n_basis: int) -> BasisPrior:
    """Return the prior of coefficients of a basis of this length: narrow around a fit, wide without one."""
    level, task, rest = (0.05, 0.05, 0.01) if fitted is not None else (0.25, 0.2, 0.03)
    variances = np.full(n_basis, rest**2)
    variances[0] = level**2
    variances[1 : 1 + N_TASKS] = task**2
    return BasisPrior(variances)
