"""Several arms on live traffic -> where the next request should go, and when the best is known: track and stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr

from neuroforge.errors import DataError
from neuroforge.statistics.interval import LEVEL
from neuroforge.statistics.sequential import ArmState, log_e_above

ALPHA = 1 - LEVEL
_N_HALVINGS = 40
_LEAST_GAP = 1e-3
"""Closer arms are sampled as if they were so far apart: nobody waits for less."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BestArm:
    """Where the search for the best arm stands."""

    leader: int
    """Arm with the highest mean so far; the first of equals."""
    winner: int | None
    """The leader once it is known to be the best; wrong, or named where several are best, with 5 % at most."""
    p_value: float
    """Against the leader being the only best, corrected for the number of arms; the smallest so far is valid too."""


def find_best_arm(states: Sequence[ArmState], alpha: float = ALPHA) -> BestArm:
    """Return the leader, and whether it is known to be the best; valid at every moment and under any allocation.

    The leader's e-process against each other arm must reach (n_arms - 1) / alpha. A wrong arm has to do so against
    the best one, so naming any takes an event of probability alpha / (n_arms - 1), times n_arms - 1 wrong arms.

    Raises:
        DataError: Fewer than two arms.
    Source: Garivier and Kaufmann, COLT 2016, arXiv:1602.04589, theorem 10, with e-processes for likelihood ratios.
    """
    if len(states) < 2:
        raise DataError(f"the best arm is one of two at least; got {len(states)}")
    means = [state.mean for state in states]
    leader = int(np.argmax(means))
    least = min(float(log_e_above(states[leader], other)) for k, other in enumerate(states) if k != leader)
    p_value = min(1.0, (len(states) - 1) * float(np.exp(-max(least, 0.0))))
    return BestArm(leader, leader if p_value <= alpha else None, p_value)


def find_shares(states: Sequence[ArmState]) -> tuple[float, ...]:
    """Return each arm's share of the next requests, for the soonest answer to which is the best.

    Ten times as dear as `find_best_arm`, and nearly the same from one request to the next.

    Raises:
        DataError: Fewer than two arms.
    """
    smoothed = [(state.total + 0.5) / (state.n + 1) for state in states]
    return tuple(optimal_shares(smoothed).tolist())


def choose_arm(shares: Sequence[float], n_assigned: Sequence[int]) -> int:
    """Return the arm for the next request (or session): the one furthest behind its share, none starved.

    Args:
        shares: (n_arms,), from `find_shares`.
        n_assigned: (n_arms,), requests sent so far, answered or not.
    Source: Garivier and Kaufmann (2016), D-tracking: an arm below sqrt(t) - n_arms / 2 goes first.
    """
    return int(choose_arms(shares, n_assigned))


def choose_arms(shares: ArrayLike, n_assigned: ArrayLike) -> NDArray[np.intp]:
    """Do as `choose_arm` for many tests at once: (..., n_arms) -> (...)."""
    wanted, counts = np.asarray(shares, dtype=float), np.asarray(n_assigned, dtype=float)
    total = counts.sum(axis=-1, keepdims=True)
    starved = (counts < np.sqrt(total) - counts.shape[-1] / 2).any(axis=-1) | (total[..., 0] == 0)
    return np.asarray(np.where(starved, counts.argmin(axis=-1), (total * wanted - counts).argmax(axis=-1)))


def optimal_shares(means: ArrayLike) -> Floats:
    """Return the shares of requests with which the best arm is known soonest if these are the means.

    Args:
        means: (..., n_arms), each 0..1; arms closer to the best than 0.001 are taken as that far below it.
    Returns: (..., n_arms), adding up to 1.
    Raises:
        DataError: Fewer than two arms, or a mean outside 0..1.
    Source: Garivier and Kaufmann (2016), theorem 5 (Bernoulli arms).
    """
    given = np.asarray(means, dtype=float)
    if given.ndim < 1 or given.shape[-1] < 2:
        raise DataError(f"shares are for two arms at least; got shape {given.shape}")
    if not ((given >= 0) & (given <= 1)).all():
        raise DataError(f"means of scores lie between 0 and 1; got {given.tolist()}")
    given = np.clip(given, 2 * _LEAST_GAP, 1 - _LEAST_GAP)
    is_best = np.arange(given.shape[-1]) == given.argmax(axis=-1)[..., None]
    best = given.max(axis=-1, keepdims=True)
    others = np.minimum(given, best - _LEAST_GAP)
    low, high = np.zeros_like(best), np.where(is_best, np.inf, _divergence(best, others)).min(axis=-1, keepdims=True)
    for _ in range(_N_HALVINGS):
        level = (low + high) / 2
        ratio = _ratio_at(level, best, others)
        between = (best + ratio * others) / (1 + ratio)
        share = _divergence(best, between) / np.maximum(_divergence(others, between), 1e-300)
        is_low = np.where(is_best, 0.0, share).sum(axis=-1, keepdims=True) < 1
        low, high = np.where(is_low, level, low), np.where(is_low, high, level)
    ratios = np.where(is_best, 1.0, _ratio_at(low, best, others))
    return np.asarray(ratios / ratios.sum(axis=-1, keepdims=True))


def _ratio_at(level: Floats, best: Floats, others: Floats) -> Floats:
    """Return each arm's requests for one of the best's, such that telling the two apart costs `level`."""
    low, high = np.zeros_like(others), np.ones_like(others)
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2  # of ratio / (1 + ratio), which runs from 0 to 1
        between = best + middle * (others - best)
        cost = _divergence(best, between) + middle / (1 - middle) * _divergence(others, between)
        low, high = np.where(cost < level, middle, low), np.where(cost < level, high, middle)
    return np.asarray(low / (1 - low))


def _divergence(p: Any, q: Any) -> Floats:
    """Kullback-Leibler, between coins."""
    return np.asarray(rel_entr(p, q) + rel_entr(1 - p, 1 - q))
