"""Covariances of the parts of a mean, and measurements -> how much each part varies, and the posterior of the whole."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
_PRIOR_WEIGHT = 1.0
_N_STEPS = 12
_JITTER = 1e-9


class Fitted(NamedTuple):
    """A Gaussian process with its variances."""

    variances: Floats
    """(n_parts,)."""
    evidence: float
    """Log density of the targets less a constant."""
    weights: Floats
    """(n,), inverse covariance of the targets times the targets."""
    inverse: Floats
    """(n, n), inverse covariance of the targets."""


def fit_variances(parts: Floats, prior: Floats, fixed: Floats, targets: Floats) -> Fitted:
    """Return the posterior mode of the parts' variances, and what follows from them.

    By the MM algorithm, which never lowers the posterior and keeps variances above zero. Source: Zhou et al. 2019, MM
    algorithms for variance components models, JCGS 28.

    Args:
        parts: (n_parts, n, n), covariance of each part if its variance were 1.
        prior: (n_parts,), variances before there is data; > 0.
        fixed: (n, n), covariance of what has no variance to be learned.
        targets: (n,).
    """
    found = prior.copy()
    evidence, weights, inverse = _condition(parts, found, fixed, targets)
    for _ in range(_N_STEPS):
        quadratic = np.einsum("i,cij,j->c", weights, parts, weights, optimize=True)
        traces = np.einsum("cij,ij->c", parts, inverse, optimize=True)
        found = np.sqrt((found**2 * quadratic + _PRIOR_WEIGHT * prior) / (traces + _PRIOR_WEIGHT / found))
        evidence, weights, inverse = _condition(parts, found, fixed, targets)
    return Fitted(found, evidence, weights, inverse)


def root_of(covariance: Floats) -> Floats:
    """Return a lower root; of a singular covariance one that is off by about 1e-5."""
    scale = max(float(np.trace(covariance)) / max(1, len(covariance)), _JITTER)
    for jitter in (_JITTER, 1e-6, 1e-4):
        try:
            return np.asarray(np.linalg.cholesky(covariance + jitter * scale * np.eye(len(covariance))))
        except np.linalg.LinAlgError:
            continue
    raise AssertionError("a posterior covariance is not positive")


def _condition(parts: Floats, variances: Floats, fixed: Floats, targets: Floats) -> tuple[float, Floats, Floats]:
    covariance = np.tensordot(variances, parts, axes=1) + fixed
    factor = cho_factor(covariance + _JITTER * np.eye(len(targets)), lower=True)
    weights = cho_solve(factor, targets)
    evidence = -0.5 * float(targets @ weights) - float(np.log(np.diag(factor[0])).sum())
    return evidence, weights, cho_solve(factor, np.eye(len(targets)))
