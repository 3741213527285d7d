"""A seed and a name -> a random generator of its own, so that a result does not hang on what was computed before it."""

import hashlib

import numpy as np


def make_rng(seed: int, *names: object) -> np.random.Generator:
    """Return the same generator for the same seed and names, on every machine."""
    digest = hashlib.blake2b(repr(names).encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest)])
