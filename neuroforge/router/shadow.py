"""Rules in shadow decide beside the live ones: live decisions -> predicted gain so far, kept in the entry."""

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.rules import Estimate, RoutingRules, RulesEntry, RulesState
from neuroforge.errors import ConflictError, NotFound
from neuroforge.router.choices import RulesPolicy
from neuroforge.router.replay import Z_95, predicted_gain

FLUSH_S = 5.0
"""A crash loses at most what was seen in this time."""
_SHADOW: tuple[RulesState, ...] = ("shadow",)


@dataclass
class Tally:
    """Running mean and spread (Welford 1962)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared deviations from the mean."""

    def add(self, value: float) -> None:
        """Take one value in."""
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self.squares += step * (value - self.mean)

    def estimate(self) -> Estimate:
        """Mean with a normal 95 % interval; of fewer than two values the widest that gains can have."""
        half_width = Z_95 * math.sqrt(self.squares / (self.n - 1) / self.n) if self.n > 1 else 1.0
        return Estimate(mean=self.mean, low=self.mean - half_width, high=self.mean + half_width, n=self.n)


def resumed(found: Estimate | None) -> Tally:
    """The tally that this estimate was made of."""
    if found is None or found.n == 0:
        return Tally()
    error = (found.high - found.low) / 2 / Z_95
    return Tally(found.n, found.mean, error**2 * found.n * (found.n - 1))


class ShadowTable(Protocol):
    """What of `RulesTable` is needed here."""

    def list_entries(self) -> tuple[RulesEntry, ...]:
        """Newest proposal first."""
        ...

    def find(self, proposal_id: str) -> RulesEntry:
        """Raises NotFound."""
        ...

    def replace(self, entry: RulesEntry, expected: tuple[RulesState, ...]) -> None:
        """Raises NotFound; ConflictError: its state is none of `expected`."""
        ...


@dataclass
class _Shadow:
    """One proposal that decides beside the live rules."""

    live: RulesPolicy
    proposed: RulesPolicy
    tally: Tally
    is_dirty: bool = False


class ShadowBook:
    """All rules in shadow; safe to use from several threads. A gain counts against the rules now in force."""

    def __init__(self, table: ShadowTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._shadows: dict[str, _Shadow] = {}
        self._live_version: int | None = None
        self._flushed_s = clock()
        self._lock = threading.Lock()

    def reload(self, live: RoutingRules, history: Mapping[int, RoutingRules]) -> None:
        """Take over which rules are in shadow; where other rules came in force, their gain starts from nothing."""
        with self._lock:
            is_same = self._live_version in (None, live.version)
            found: dict[str, _Shadow] = {}
            for entry in self._table.list_entries():
                if entry.state != "shadow":
                    continue
                known = self._shadows.get(entry.proposal_id)
                if known is not None and is_same:
                    found[entry.proposal_id] = known
                    continue
                tally = resumed(entry.shadow) if is_same else Tally()
                policies = RulesPolicy(live, history), RulesPolicy(entry.rules, history)
                found[entry.proposal_id] = _Shadow(*policies, tally, is_dirty=not is_same)
            self._shadows, self._live_version = found, live.version

    def observe(self, decisions: Iterable[Decision]) -> None:
        """Let them decide what was decided; nearly free while nothing is in shadow."""
        with self._lock:
            if not self._shadows:
                return
            for decision in decisions:
                for shadow in self._shadows.values():
                    gain = predicted_gain(decision, shadow.live, shadow.proposed)
                    if gain is not None:
                        shadow.tally.add(gain)
                        shadow.is_dirty = True
            is_due = self._clock() - self._flushed_s >= FLUSH_S
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered into the proposals' entries."""
        with self._lock:
            self._flushed_s = self._clock()
            for proposal_id, shadow in list(self._shadows.items()):
                if not shadow.is_dirty:
                    continue
                gain = shadow.tally.estimate() if shadow.tally.n else None
                try:
                    entry = self._table.find(proposal_id)
                    self._table.replace(RulesEntry(**{**dict(entry), "shadow": gain}), _SHADOW)
                except (ConflictError, NotFound):
                    del self._shadows[proposal_id]  # it left the shadow meanwhile
                else:
                    shadow.is_dirty = False
