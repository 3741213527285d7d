"""Which operators have paid: a bandit over operators, whose state is counts."""

from collections.abc import Mapping, Sequence

import numpy as np

from neuroforge.contracts.base import Contract

PRIOR_WINS, PRIOR_LOSSES = 1.0, 1.0
FORGET = 0.9
"""What a generation leaves of older counts: what pays early (structure) is not what pays late (examples)."""


class Credit(Contract):
    """Children of one operator that beat their first parent in the race, and those that did not; discounted."""

    n_won: float = 0.0
    n_lost: float = 0.0
    n_children: int = 0
    """All that were ever tried, not discounted."""
    gain: float = 0.0
    """Sum of fitness gained over the first parent by those that won, not discounted."""


def draw_operator(credits: Mapping[str, Credit], allowed: Sequence[str], rng: np.random.Generator) -> str:
    """Return an operator by Thompson sampling: the highest draw of each one's Beta posterior of winning."""
    draws = []
    for name in allowed:
        credit = credits.get(name, Credit())
        draws.append(float(rng.beta(PRIOR_WINS + credit.n_won, PRIOR_LOSSES + credit.n_lost)))
    return allowed[int(np.argmax(draws))]


def reward(credits: Mapping[str, Credit], gains: Sequence[tuple[str, float]]) -> dict[str, Credit]:
    """Return the credits after a generation.

    Args:
        gains: (operator, expected fitness of the child less its first parent's) of each child that was measured.
    """
    found = {
        name: Credit(n_won=FORGET * one.n_won, n_lost=FORGET * one.n_lost, n_children=one.n_children, gain=one.gain)
        for name, one in credits.items()
    }
    for name, gain in gains:
        one = found.get(name, Credit())
        has_won = gain > 0
        found[name] = Credit(
            n_won=one.n_won + has_won,
            n_lost=one.n_lost + (not has_won),
            n_children=one.n_children + 1,
            gain=one.gain + max(0.0, gain),
        )
    return found
