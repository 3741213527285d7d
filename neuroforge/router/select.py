"""Weighed models -> the one that answers."""

from collections.abc import Sequence
from typing import NamedTuple

from neuroforge.contracts.models import ModelEndpoint


class Weighed(NamedTuple):
    """One model that could answer."""

    endpoint: ModelEndpoint
    expected_latency_s: float
    n_in_flight: int
    n_chosen: int
    """How often it was chosen before, to take turns among equals."""


class AdaptiveLoadBalancer:
    """Picks by expected latency; the estimates adapt with every outcome."""

    def select_optimal(self, candidates: Sequence[Weighed]) -> Weighed:
        """Return the fastest; ties go to the shorter queue, then to the one chosen less often, then to the first.

        Args:
            candidates: At least one.
        """
        return min(candidates, key=lambda one: (one.expected_latency_s, one.n_in_flight, one.n_chosen))
