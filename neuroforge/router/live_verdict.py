"""Tallies of a live test's arms -> shares, winner and what to tell; every number holds at each look."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.live_tests import LiveTestArmStatus, LiveTestSpec, LiveTestStatus
from neuroforge.contracts.rules import Estimate
from neuroforge.statistics.bestarm import find_best_arm, find_shares
from neuroforge.statistics.sequential import ArmsResult, ArmState, compare_arms, mean_sequence, paired_sequence


class ArmTally(Contract):
    """What one arm has come to."""

    n_requests: int = 0
    n_failures: int = 0
    observed: dict[str, float] = Field(default_factory=dict)
    """ArmState of the metric, one value a unit."""
    paired: dict[str, float] = Field(default_factory=dict)
    """ArmState of (1 + this arm's value - the control's) / 2, of units that both have answered; shadow tests only."""

    @property
    def state(self) -> ArmState:
        """Of the metric."""
        return _state(self.observed)

    @property
    def pairs(self) -> ArmState:
        """Of the differences."""
        return _state(self.paired)

    def counted(self, has_failed: bool) -> "ArmTally":
        """With one more request."""
        return self._with(n_requests=self.n_requests + 1, n_failures=self.n_failures + has_failed)

    def seen(self, value: float) -> "ArmTally":
        """With one more unit's value."""
        return self._with(observed=asdict(self.state.add(value)))

    def seen_beside(self, value: float, control: float) -> "ArmTally":
        """With one more unit that the control has answered too."""
        return self._with(paired=asdict(self.pairs.add((1.0 + value - control) / 2.0)))

    def _with(self, **changes: Any) -> "ArmTally":
        return ArmTally(**{**dict(self), **changes})


def find_winner(spec: LiveTestSpec, tallies: Sequence[ArmTally]) -> str | None:
    """Return the arm that is known to be the best; wrong with `alpha` at most, over all looks together."""
    if spec.mode == "shadow":
        pairs = tallies[1].pairs
        if pairs.n < 1:
            return None
        found = paired_sequence(pairs)
        if found.p_value > spec.alpha:
            return None
        return spec.arms[1 if found.difference.mean > 0 else 0].name
    if any(one.state.n < 1 for one in tallies):
        return None
    winner = find_best_arm([one.state for one in tallies], spec.alpha).winner
    return None if winner is None else spec.arms[winner].name


def share_out(spec: LiveTestSpec, tallies: Sequence[ArmTally]) -> tuple[float, ...]:
    """Return each arm's share of the units: equal, or, of an adaptive test, those that find the best arm soonest.

    No arm starves: track and stop's forced exploration keeps each above 1 / sqrt(units), which fades as more is known.
    """
    n_arms = len(spec.arms)
    n_units = sum(one.state.n for one in tallies)
    even = 1.0 / n_arms
    if spec.mode != "adaptive" or any(one.state.n < 1 for one in tallies):
        return (even,) * n_arms
    floor = min(even, 1.0 / np.sqrt(n_units))
    wanted = np.array(find_shares([one.state for one in tallies]))
    shares = floor + (1.0 - n_arms * floor) * wanted
    return tuple((shares / shares.sum()).tolist())


def status_of(
    spec: LiveTestSpec, tallies: Sequence[ArmTally], weights: Sequence[float], about: Mapping[str, Any]
) -> LiveTestStatus:
    """Return the test for people; `about` has its state, times and winner."""
    arms = tuple(
        LiveTestArmStatus(
            arm=arm,
            weight=weight,
            n_requests=tally.n_requests,
            n_failures=tally.n_failures,
            n_units=tally.state.n,
            estimate=_estimate_of(tally),
        )
        for arm, tally, weight in zip(spec.arms, tallies, weights, strict=True)
    )
    differences = {
        arm.name: _estimate(found)
        for arm, tally in zip(spec.arms[1:], tallies[1:], strict=True)
        if (found := _compare(spec, tally, tallies[0])) is not None
    }
    sentence = _sentence(about["state"], about["winner"], arms, differences)
    return LiveTestStatus(spec=spec, arms=arms, differences=differences, sentence=sentence, **about)


def _compare(spec: LiveTestSpec, tally: ArmTally, control: ArmTally) -> ArmsResult | None:
    if spec.mode == "shadow":
        return paired_sequence(tally.pairs) if tally.pairs.n else None
    return compare_arms(tally.state, control.state) if tally.state.n and control.state.n else None


def _sentence(
    state: str, winner: str | None, arms: Sequence[LiveTestArmStatus], differences: Mapping[str, Estimate]
) -> str:
    n_units = sum(one.n_units for one in arms)
    if winner is not None:
        return f"{winner} is the best, shown on {n_units} observed units; nothing was promoted by it"
    if not n_units:
        return "nothing was observed yet"
    end = {"running": "so far", "stopped": "when it was stopped", "decided": "in all the units that it may take"}[state]
    told = "; ".join(f"{name} {one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for name, one in differences.items())
    return f"no difference shown {end}, on {n_units} observed units{f' (less the control: {told})' if told else ''}"


def _estimate_of(tally: ArmTally) -> Estimate | None:
    if tally.state.n < 1:
        return None
    found = mean_sequence(tally.state)
    return Estimate(mean=found.mean, low=found.low, high=found.high, n=found.n)


def _estimate(found: ArmsResult) -> Estimate:
    difference = found.difference
    return Estimate(mean=difference.mean, low=difference.low, high=difference.high, n=difference.n)


def _state(sums: Mapping[str, float]) -> ArmState:
    if not sums:
        return ArmState()
    return ArmState(n=int(sums["n"]), **{name: value for name, value in sums.items() if name != "n"})
