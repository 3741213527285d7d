"""Beliefs about utilities -> exact propensities -> one model, the same one again for the same request and snapshot."""

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_SHARE = 0.01
"""Of every eligible model: what keeps importance weights below 100 and finds a model that got better."""
N_DRAWS = 512
"""Members of the ensemble: a propensity is a count of them, so its grain is 1/512."""
BOLDNESS = 0.5
"""Deviations of a belief that count as one in the draws: with whole ones exploration cost more than it found."""
_MOST_SHARED = 0.5
"""Of the probability may go to equal shares where very many models are eligible."""


def propensities(
    utility_mean: Floats, utility_std: Floats, quality: Floats, quality_floor: float, min_share: float = MIN_SHARE
) -> Floats:
    """Return the exact probability of choosing each model: (m,), summing to 1.

    A finite ensemble of utilities, drawn once for each number of models, stands for the belief; each member votes for
    its best model, and every eligible model gets `min_share` beside its votes. A model that would lie more than
    `quality_floor` below the best predicted quality even if it were one deviation better than predicted is not
    eligible: exactly 0. Of equal utilities the first is the best.

    Args:
        utility_mean: (m,), what each model is expected to be worth.
        utility_std: (m,), what is not known of it; all zero = the best mean gets all votes.
        quality: (m,), predicted quality, 0..1.
        quality_floor: How much predicted quality exploration may cost at most.
        min_share: Lowered so that all shares together stay below a half where more than 50 models are eligible.
    """
    eligible = np.flatnonzero(quality + utility_std >= quality.max() - quality_floor)
    out = np.zeros(len(quality))
    draws = utility_mean[eligible] + BOLDNESS * utility_std[eligible] * ensemble(len(eligible))
    votes = np.bincount(draws.argmax(axis=1), minlength=len(eligible)) / N_DRAWS
    share = min(min_share, _MOST_SHARED / len(eligible)) if len(eligible) > 1 else 0.0
    out[eligible] = share + (1.0 - share * len(eligible)) * votes
    return out


def draw(shares: Floats, seed: int, request_id: str, version: int) -> int:
    """Return the index that the propensities give this request; the same for the same seed, request and snapshot."""
    position = draw_uniform(seed, request_id, version)
    index = int(np.searchsorted(np.cumsum(shares), position * shares.sum(), side="right"))
    positive = np.flatnonzero(shares)
    return min(index, int(positive[-1]))


def draw_uniform(seed: int, request_id: str, version: int) -> float:
    """Return a number in [0, 1) from a hash: no state, no generator, the same in every process."""
    words = f"{seed}\x1f{version}\x1f{request_id}".encode("utf-8", "replace")
    return int.from_bytes(blake2b(words, digest_size=8).digest(), "big") / 2.0**64


@lru_cache(maxsize=256)
def ensemble(n_models: int) -> Floats:
    """Return (N_DRAWS, n_models) standard normal draws: always the same, with mean exactly 0 in each column."""
    half = np.random.default_rng(n_models).standard_normal((N_DRAWS // 2, n_models))
    draws = np.concatenate([half, -half])
    draws.setflags(write=False)
    return draws
