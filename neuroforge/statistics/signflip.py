"""Differences of independent units -> p-value of the sign-flip permutation test."""

import numpy as np
from numpy.typing import NDArray

N_FLIPS = 9999
MAX_EXACT_UNITS = 14
"""Up to 16,384 sign patterns are gone through one by one."""
_CHUNK = 2_000_000


def all_signs(n_units: int) -> NDArray[np.float64]:
    """Return every pattern of signs: (2 ** n_units, n_units) of -1 and 1."""
    bits = np.arange(2**n_units)[:, None] >> np.arange(n_units)
    return np.where(bits & 1, -1.0, 1.0)


def sign_flip_p_value(
    differences: NDArray[np.float64], *, rng: np.random.Generator, n_flips: int = N_FLIPS
) -> tuple[float, str]:
    """Return the two-sided p-value against "each difference is as likely with the other sign", and the test's name.

    Exact up to 14 units that differ; else from random flips, the observed pattern counted among them, so that the
    p-value is never 0 and the level is kept.

    Args:
        differences: (n_units,), of independent units: items, or sums of clusters. Zeros do not matter.
    Source: Fisher, The Design of Experiments (1935); the +1: Phipson and Smyth, SAGMB 9 (2010).
    """
    moving = differences[differences != 0]
    if len(moving) <= MAX_EXACT_UNITS:
        return flipped_share(moving, all_signs(len(moving))), "exact sign-flip permutation"
    n_left, n_block, n_extreme = n_flips, max(1, _CHUNK // len(moving)), 0.0
    while n_left > 0:
        n_now = min(n_left, n_block)
        signs = np.where(rng.integers(0, 2, (n_now, len(moving)), dtype=np.int8), 1.0, -1.0)
        n_extreme += flipped_share(moving, signs) * n_now
        n_left -= n_now
    return (round(n_extreme) + 1) / (n_flips + 1), f"sign-flip permutation ({n_flips:,} flips)"


def flipped_share(differences: NDArray[np.float64], signs: NDArray[np.float64]) -> float:
    """Return the share of sign patterns whose sum is at least as far from 0 as the one observed (ties count).

    Args:
        differences: (n_units,).
        signs: (n_patterns, n_units) of -1 and 1.
    """
    slack = 1e-9 * float(np.abs(differences).sum())
    return float(np.mean(np.abs(signs @ differences) >= abs(float(differences.sum())) - slack))
