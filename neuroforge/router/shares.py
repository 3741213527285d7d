"""Models that may answer, with what speaks for each -> the probability that each is chosen.

Live selection and the replay of rules on logged decisions draw from the same shares: both come here for them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.rules import RoutingRules
from neuroforge.router.explore import propensities

Floats = NDArray[np.float64]


class Option(NamedTuple):
    """One model that may be chosen."""

    utility: float
    quality: float
    spread: float
    """Deviation of the expected quality, in units of utility."""
    cost_usd: float
    latency_s: float
    n_in_flight: int

    @property
    def rank(self) -> tuple[float, float, float, int]:
        """The lowest is the best; ties go to the cheaper, then the faster, then the less busy one."""
        return -self.utility, self.cost_usd, self.latency_s, self.n_in_flight


def find_best(options: Sequence[Option]) -> int:
    """Return the place of the best, the first of equals.

    Args:
        options: At least one.
    """
    return min(range(len(options)), key=lambda place: options[place].rank)


def share_out(options: Sequence[Option], rules: RoutingRules) -> Floats:
    """Return each one's share before the holdout's, summing to 1; without exploration the best has it all.

    The floor counts from the quality of the best by utility: where a policy takes a cheaper model than the best one,
    exploration may not cost more than the floor either.
    """
    shares = np.zeros(len(options))
    if not rules.explore:
        shares[find_best(options)] = 1.0
        return shares
    order = sorted(range(len(options)), key=lambda place: options[place].rank)
    ranked = [options[place] for place in order]
    shares[order] = propensities(
        np.array([one.utility for one in ranked]),
        np.array([one.spread for one in ranked]),
        np.minimum([one.quality for one in ranked], ranked[0].quality),
        rules.quality_floor,
    )
    return shares


def hold_out(shares: Floats, held: int, share: float) -> Floats:
    """Return the shares of the whole decision, of which `share` goes to the one at place `held`."""
    whole = np.asarray((1 - share) * shares, dtype=np.float64)
    whole[held] += share
    return whole
