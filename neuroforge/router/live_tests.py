"""create -> observe -> shares and verdict -> stop: the one place where live tests are kept.

A plain class over a table; the learner's actor calls it. Safe to use from several threads.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from neuroforge.contracts.base import Contract
from neuroforge.contracts.live_tests import (
    LiveTestPlan,
    LiveTestSpec,
    LiveTestState,
    LiveTestStatus,
)
from neuroforge.contracts.outcomes import OutcomeRecord, RecordLevel
from neuroforge.contracts.ports import Clock
from neuroforge.errors import ConflictError, NotFound, StorageError
from neuroforge.router.live_observations import Observation, observations_of, value_of
from neuroforge.router.live_verdict import ArmTally, find_winner, share_out, status_of
from neuroforge.storage.live_tests import Seen
from neuroforge.storage.outcome_rows import OutcomeRow

SHARED_AGAIN = 1.02
"""Shares are computed again when there are so many times the units that they are of: they move by less in between."""
MAX_WAITING = 10_000
"""Answers of a shadow test's control that wait for the other arm's."""


class LiveTestTable(Protocol):
    """Entries at rest: `neuroforge.storage.live_tests.SqlLiveTests`."""

    def list_entries(self) -> tuple[str, ...]:
        """Oldest first."""
        ...

    def add(self, name: str, state: str, entry: str) -> None:
        """Raises ConflictError: the name is taken."""
        ...

    def save(self, name: str, state: str, entry: str, new_units: Mapping[str, Seen]) -> None:
        """Entry and units, all or nothing."""
        ...

    def known_units(self, name: str, units: list[str]) -> set[str]:
        """Those that were observed before."""
        ...


class LiveTestEntry(Contract):
    """A live test as it is kept."""

    spec: LiveTestSpec
    state: LiveTestState = "running"
    created_at_s: float
    ended_at_s: float | None = None
    tallies: tuple[ArmTally, ...]
    weights: tuple[float, ...]
    n_units_weighed: int = 0
    """Units that the weights are of."""
    winner: str | None = None


class LiveTests:
    """`ports.LiveTests` without the waiting, and what the learner tells it."""

    def __init__(self, table: LiveTestTable, clock: Clock, record: RecordLevel) -> None:
        """`clock` is Unix time; at record level `none` nothing is observed, so no test can be made."""
        self._table = table
        self._clock = clock
        self._record = record
        self._lock = threading.RLock()
        self._entries = {entry.spec.name: entry for entry in map(_read, table.list_entries())}
        self._controls: dict[str, OrderedDict[str, float]] = {}
        """Of shadow tests: the control's value by unit, until the other arm's comes; lost in a crash with its pairs."""
        self._plans = self._make_plans()

    @property
    def plans(self) -> tuple[LiveTestPlan, ...]:
        """What gateway replicas assign by; another object after each change."""
        return self._plans

    def create(self, spec: LiveTestSpec) -> LiveTestStatus:
        """As ports.LiveTests.create_live_test."""
        if self._record == "none":
            raise ConflictError("nothing is recorded of requests (router.record is none), so nothing can be compared")
        with self._lock:
            running = next((one for one in self._running() if one.spec.target == spec.target), None)
            if running is not None:
                raise ConflictError(
                    f"the live test {running.spec.name!r} runs on {spec.target!r} already: stop it first",
                )
            entry = LiveTestEntry(
                spec=spec,
                created_at_s=self._clock(),
                tallies=tuple(ArmTally() for _ in spec.arms),
                weights=(1.0 / len(spec.arms),) * len(spec.arms),
            )
            self._table.add(spec.name, entry.state, entry.model_dump_json())
            self._put(entry)
            return _status(entry)

    def list_all(self) -> tuple[LiveTestStatus, ...]:
        """As ports.LiveTests.list_live_tests."""
        with self._lock:
            return tuple(_status(entry) for entry in reversed(self._entries.values()))

    def status(self, name: str) -> LiveTestStatus:
        """As ports.LiveTests.live_test."""
        with self._lock:
            return _status(self._find(name))

    def stop(self, name: str) -> LiveTestStatus:
        """As ports.LiveTests.stop_live_test."""
        with self._lock:
            entry = self._find(name)
            if entry.state == "running":
                entry = _changed(entry, state="stopped", ended_at_s=self._clock())
                self._save(entry, {})
            return _status(entry)

    def observe(self, rows: Sequence[OutcomeRow]) -> None:
        """Take in what finished requests say; each row once.

        Raises:
            StorageError: Nothing of a test's observations was taken.
        """
        by_test: dict[str, list[Observation]] = defaultdict(list)
        for one in observations_of(rows):
            by_test[one.tag.test].append(one)
        with self._lock:
            for name, seen in by_test.items():
                entry = self._entries.get(name)
                if entry is not None and entry.state == "running":
                    self._take(entry, seen, {id(one): value_of(entry.spec, one) for one in seen}, is_request=True)

    def rate(self, record: OutcomeRecord, score: float) -> None:
        """Take in the first feedback on a decision."""
        tag = record.decision.live_test
        if tag is None:
            return
        with self._lock:
            entry = self._entries.get(tag.test)
            if entry is None or entry.state != "running" or entry.spec.metric != "score":
                return
            seen = Observation(tag, record.actor, record.at_s, False, record.outcome.latency_s)
            self._take(entry, [seen], {id(seen): score}, is_request=False)

    def _take(
        self, entry: LiveTestEntry, seen: Sequence[Observation], values: Mapping[int, float | None], is_request: bool
    ) -> None:
        arm_names = [arm.name for arm in entry.spec.arms]
        tallies = list(entry.tallies)
        known = self._table.known_units(entry.spec.name, sorted({_unit_key(entry.spec, one) for one in seen}))
        new_units: dict[str, Seen] = {}
        for one in seen:
            place = arm_names.index(one.tag.arm)
            if is_request:
                tallies[place] = tallies[place].counted(one.has_failed)
            value, unit = values[id(one)], _unit_key(entry.spec, one)
            if value is None or unit in known or unit in new_units:
                continue
            new_units[unit] = Seen(one.actor, one.at_s)
            tallies[place] = tallies[place].seen(value)
            if entry.spec.mode == "shadow":
                tallies[place] = self._pair(entry.spec.name, one.tag.unit, place, value, tallies[place])
        self._save(self._judged(_changed(entry, tallies=tuple(tallies))), new_units)

    def _pair(self, name: str, unit: str, place: int, value: float, tally: ArmTally) -> ArmTally:
        """The tally with the pair, where the control has answered the same request before."""
        waiting = self._controls.setdefault(name, OrderedDict())
        if place == 0:
            waiting[unit] = value
            if len(waiting) > MAX_WAITING:
                waiting.popitem(last=False)
            return tally
        control = waiting.pop(unit, None)
        return tally if control is None else tally.seen_beside(value, control)

    def _judged(self, entry: LiveTestEntry) -> LiveTestEntry:
        """The entry with the shares and the verdict that its tallies give."""
        winner = find_winner(entry.spec, entry.tallies)
        n_units = sum(one.state.n for one in entry.tallies)
        is_over = winner is not None or (entry.spec.max_units is not None and n_units >= entry.spec.max_units)
        if is_over:
            return _changed(entry, state="decided", winner=winner, ended_at_s=self._clock())
        if n_units < SHARED_AGAIN * entry.n_units_weighed:
            return entry
        return _changed(entry, weights=share_out(entry.spec, entry.tallies), n_units_weighed=n_units)

    def _save(self, entry: LiveTestEntry, new_units: Mapping[str, Seen]) -> None:
        self._table.save(entry.spec.name, entry.state, entry.model_dump_json(), new_units)
        self._put(entry)

    def _put(self, entry: LiveTestEntry) -> None:
        self._entries[entry.spec.name] = entry
        plans = self._make_plans()
        if plans != self._plans:
            self._plans = plans

    def _make_plans(self) -> tuple[LiveTestPlan, ...]:
        return tuple(LiveTestPlan(spec=one.spec, weights=one.weights) for one in self._running())

    def _running(self) -> list[LiveTestEntry]:
        return [one for one in self._entries.values() if one.state == "running"]

    def _find(self, name: str) -> LiveTestEntry:
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(self._entries) or "none"
            raise NotFound(f"there is no live test {name!r}; known: {known}")
        return entry


def _unit_key(spec: LiveTestSpec, one: Observation) -> str:
    """The arms of a shadow test answer the same requests: a unit counts once for each of them."""
    return f"{one.tag.unit}/{one.tag.arm}" if spec.mode == "shadow" else one.tag.unit


def _status(entry: LiveTestEntry) -> LiveTestStatus:
    return status_of(
        entry.spec,
        entry.tallies,
        entry.weights,
        {
            "state": entry.state,
            "created_at_s": entry.created_at_s,
            "ended_at_s": entry.ended_at_s,
            "winner": entry.winner,
        },
    )


def _changed(entry: LiveTestEntry, **changes: Any) -> LiveTestEntry:
    return LiveTestEntry(**{**dict(entry), **changes})


def _read(text: str) -> LiveTestEntry:
    try:
        return LiveTestEntry.model_validate_json(text)
    except ValidationError as error:
        raise StorageError(f"a stored live test cannot be read: {error.errors()[0]['msg']}") from error
