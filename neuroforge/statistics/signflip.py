"""Differences of independent units -> p-value of the sign-flip permutation test."""

import numpy as np
from numpy.typing import NDArray

N_FLIPS = 9999
MAX_EXACT_UNITS = 14
"""Up to 16,384 sign patterns are gone through one by one."""
_CHUNK = 2_000_000


def all_sums(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum under every pattern of signs: (n_units,) -> (2 ** n_units,)."""
    sums = np.zeros(1)
    for one in differences:
        sums = np.concatenate([sums + one, sums - one])
    return sums


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
        return share_as_far(moving, all_sums(moving)), "exact sign-flip permutation"
    n_left, n_block, n_extreme = n_flips, max(1, _CHUNK // len(moving)), 0.0
    while n_left > 0:
        n_now = min(n_left, n_block)
        signs = np.where(rng.integers(0, 2, (n_now, len(moving)), dtype=np.int8), 1.0, -1.0)
        n_extreme += share_as_far(moving, signs @ moving) * n_now
        n_left -= n_now
    return (round(n_extreme) + 1) / (n_flips + 1), f"sign-flip permutation ({n_flips:,} flips)"


def share_as_far(differences: NDArray[np.float64], sums: NDArray[np.float64]) -> float:
    """Return the share of sums under flipped signs that are at least as far from 0 as the one observed (ties count).

    Args:
        differences: (n_units,).
        sums: (n_patterns,), of the same differences with other signs.
    """
    slack = 1e-9 * float(np.abs(differences).sum())
    return float(np.mean(np.abs(sums) >= abs(float(differences.sum())) - slack))
