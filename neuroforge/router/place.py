"""A new model among known ones: which stored questions to ask it, so that few answers place it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_PROBES = 50


def choose_probes(bases: Floats, prior_variances: Floats, n_probes: int = N_PROBES) -> NDArray[np.intp]:
    """Return the rows of `bases` to ask, in order: each the one whose answer is least certain given those before.

    Greedy D-optimal design; ties go to the earlier row; no row twice.

    Args:
        bases: (n, d), the basis of each stored question.
        prior_variances: (d,), of a new model's coefficients.
        n_probes: Fewer come back where fewer rows are stored.
    """
    noise = 0.15
    scaled = bases * np.sqrt(prior_variances)
    variance = np.einsum("ij,ij->i", scaled, scaled)
    directions = np.zeros((min(n_probes, len(bases)), len(bases)))
    chosen: list[int] = []
    for step in range(len(directions)):
        candidates = variance.copy()
        candidates[chosen] = -1.0
        row = int(candidates.argmax())
        covariance = scaled @ scaled[row] - directions[:step].T @ directions[:step, row]
        directions[step] = covariance / np.sqrt(variance[row] + noise)
        variance = variance - directions[step] ** 2
        chosen.append(row)
    return np.array(chosen, dtype=np.intp)
