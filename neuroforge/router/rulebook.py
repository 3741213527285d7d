"""propose -> replay -> shadow -> apply -> roll back: the one place where routing rules change.

A plain class over a table; the learner's actor calls it. Every method may take about a second (the replay), so it
belongs in a thread; all are safe to call from several.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.rules import Insight, ReplayReport, RoutingRules, RulesEntry, RulesState
from neuroforge.errors import ConflictError, NotFound, RequestError
from neuroforge.router.choices import RulesPolicy
from neuroforge.router.insights import propose_from_insights
from neuroforge.router.replay import difference_text, is_proven, refusal, replay
from neuroforge.router.rules import SCALARS, same_demands
from neuroforge.router.scored import ScoredDecision
from neuroforge.router.shadow import ShadowBook

REPLAYED = 10_000
"""The newest scored decisions that a replay looks at."""
PROPOSAL_BYTES = 4
DEFAULTS_ID = "defaults"
FORCE_HINT = "force it (force=true, or --force) to apply it all the same"
_OPEN: tuple[RulesState, ...] = ("proposed", "shadow", "refused")
"""States from which rules can still be applied."""


class RulesTable(Protocol):
    """Proposals at rest: `neuroforge.storage.rules.SqlRulesTable`."""

    def list_entries(self) -> tuple[RulesEntry, ...]:
        """Newest proposal first."""
        ...

    def find(self, proposal_id: str) -> RulesEntry:
        """Raises NotFound."""
        ...

    def find_in_force(self) -> RulesEntry | None:
        """None = no rules were ever applied."""
        ...

    def add(self, entry: RulesEntry) -> None:
        """Keep a proposal that is not in force."""
        ...

    def replace(self, entry: RulesEntry, expected: tuple[RulesState, ...]) -> None:
        """Raises NotFound; ConflictError: its state is none of `expected`."""
        ...

    def put_in_force(self, entry: RulesEntry, base_version: int | None) -> RulesEntry:
        """Give the next version and let it count, atomically. Raises ConflictError: another version is in force."""
        ...


ReadScored = Callable[[int], Sequence[ScoredDecision]]
"""The newest so many scored decisions, oldest first."""


class Rulebook:
    """`RulesStore` without the waiting."""

    def __init__(
        self,
        table: RulesTable,
        clock: Clock,
        read_scored: ReadScored,
        defaults: RoutingRules | None = None,
    ) -> None:
        """`clock` is Unix time; `defaults` are in force until the first rules are applied, as version 0."""
        self._table = table
        self._clock = clock
        self._read_scored = read_scored
        self._defaults = defaults or RoutingRules()
        self._lock = threading.RLock()
        self._live = self._read_live()
        self._shadows = ShadowBook(table, clock)
        self._shadows.reload(self._live, self._history())

    @property
    def live(self) -> RoutingRules:
        """The rules in force; their version grows with each change."""
        return self._live

    def list_rules(self) -> tuple[RulesEntry, ...]:
        """As RulesStore.list_rules; the last are the defaults, version 0."""
        self._shadows.flush()
        state: RulesState = "applied" if self._live.version == 0 else "superseded"
        return *self._table.list_entries(), RulesEntry(rules=self._defaults, proposal_id=DEFAULTS_ID, state=state)

    def propose_rules(self, rules: RoutingRules) -> RulesEntry:
        """As RulesStore.propose_rules. What the proposal leaves out of holdout_share, explore and quality_floor stays.

        Raises:
            RequestError: They demand what is in force already.
        """
        with self._lock:
            entry = self._propose(rules, self._live)
            self._table.add(entry)
            return entry

    def shadow_rules(self, proposal_id: str) -> RulesEntry:
        """As RulesStore.shadow_rules.

        Raises:
            NotFound; ConflictError: it was refused, or is in force or was before.
        """
        with self._lock:
            entry = _changed(self._table.find(proposal_id), state="shadow")
            self._table.replace(entry, ("proposed", "shadow"))
            self._shadows.reload(self._live, self._history())
            return entry

    def apply_rules(self, proposal_id: str, force: bool = False) -> RulesEntry:
        """As RulesStore.apply_rules: replayed again first, since there may be more evidence than when it was proposed.

        Raises:
            NotFound; ConflictError: applied before, other rules came in between, or refused and not forced.
        """
        with self._lock:
            self._shadows.flush()
            found = self._table.find(proposal_id)
            if found.state not in _OPEN:
                raise ConflictError(f"proposal {proposal_id} is {found.state}: propose its rules again, or roll back")
            if found.base_version != self._live.version and not force:
                raise ConflictError(
                    f"version {self._live.version} is in force, but the proposal was compared with version "
                    f"{found.base_version}; propose it again, or {FORCE_HINT}"
                )
            report = self._replay(found.rules, self._live)
            reason = refusal(report)
            if reason is not None and not force:
                self._table.replace(_changed(found, state="refused", replay=report, note=reason), _OPEN)
                self._shadows.reload(self._live, self._history())
                raise ConflictError(f"proposal {proposal_id} is refused: {reason}; {FORCE_HINT}")
            note = None if reason is None else f"forced against: {reason}"
            return self._put_in_force(_changed(found, replay=report, note=note), None if force else found.base_version)

    def rollback_rules(self, version: int | None = None) -> RulesEntry:
        """As RulesStore.rollback_rules. Version 0 = the defaults; None passes over versions that were rolled back.

        Raises:
            NotFound: That version was never in force. ConflictError: it is in force, or nothing was before it.
        """
        with self._lock:
            rules = self._earlier() if version is None else self._version(version)
            if same_demands(rules, self._live):
                raise ConflictError(f"what version {rules.version} demands is in force already")
            entry = RulesEntry(
                rules=_about(rules, version=0, reason=f"rollback to version {rules.version}", at_s=self._clock()),
                proposal_id=_new_id(),
                state="applied",
                base_version=self._live.version,
                restored_version=rules.version,
            )
            return self._put_in_force(entry, self._live.version)

    def update_rules(self, insights: Sequence[Insight], model_ids: Sequence[str], shadow: bool = False) -> RulesEntry:
        """As RulesStore.update_rules: proven is a gain whose interval lies above 0, on enough evidence."""
        with self._lock:
            entry = self._propose(propose_from_insights(insights, self._live, model_ids), self._live)
            report = entry.replay
            if report is not None and is_proven(report):
                return self._put_in_force(entry, entry.base_version)
            if entry.state != "refused" and report is not None:
                note = f"not proven: the gain on logged outcomes is {difference_text(report.difference)}"
                entry = _changed(entry, state="refused", note=note)
            if shadow and report is not None and report.difference.high >= 0:
                entry = _changed(entry, state="shadow")
            self._table.add(entry)
            self._shadows.reload(self._live, self._history())
            return entry

    def observe(self, decisions: Iterable[Decision]) -> None:
        """Let the rules in shadow decide what was just decided, without effect."""
        self._shadows.observe(decisions)

    def flush(self) -> None:
        """Write what the rules in shadow have gathered; done every few seconds as well."""
        self._shadows.flush()

    def _propose(self, rules: RoutingRules, live: RoutingRules) -> RulesEntry:
        kept = {name: getattr(live, name) for name in SCALARS if name not in rules.model_fields_set}
        whole = _about(RoutingRules.model_validate({**rules.model_dump(), **kept}), version=0, at_s=self._clock())
        if same_demands(whole, live):
            raise RequestError(f"these rules demand what version {live.version}, which is in force, demands already")
        report = self._replay(whole, live)
        reason = refusal(report)
        return RulesEntry(
            rules=whole,
            proposal_id=_new_id(),
            state="proposed" if reason is None else "refused",
            base_version=live.version,
            replay=report,
            note=reason,
        )

    def _replay(self, rules: RoutingRules, live: RoutingRules) -> ReplayReport:
        history = self._history()
        return replay(self._read_scored(REPLAYED), RulesPolicy(live, history), RulesPolicy(rules, history))

    def _history(self) -> dict[int, RoutingRules]:
        entries = self._table.list_entries()
        return {0: self._defaults} | {one.rules.version: one.rules for one in entries if one.rules.version}

    def _put_in_force(self, entry: RulesEntry, base_version: int | None) -> RulesEntry:
        applied = self._table.put_in_force(_changed(entry, state="applied", applied_at_s=self._clock()), base_version)
        self._live = applied.rules
        self._shadows.reload(self._live, self._history())
        return applied

    def _read_live(self) -> RoutingRules:
        found = self._table.find_in_force()
        return self._defaults if found is None else found.rules

    def _version(self, version: int) -> RoutingRules:
        if version == 0:
            return self._defaults
        entries = self._table.list_entries()
        found = next((one.rules for one in entries if one.rules.version == version), None)
        if found is None:
            known = ", ".join(str(one.rules.version) for one in reversed(entries) if one.rules.version) or "none"
            raise NotFound(f"version {version} was never in force; known: 0 (the defaults), {known}")
        return found

    def _earlier(self) -> RoutingRules:
        """The newest that was not rolled back and demands something else, before what the rules in force restored."""
        found = self._table.find_in_force()
        if found is None:
            raise ConflictError("no rules were ever applied: there is nothing to roll back")
        start = found.rules.version if found.restored_version is None else found.restored_version
        for one in sorted(self._table.list_entries(), key=lambda one: -one.rules.version):
            is_candidate = 0 < one.rules.version < start and one.state != "rolled_back"
            if is_candidate and not same_demands(one.rules, self._live):
                return one.rules
        return self._defaults


def _changed(entry: RulesEntry, **changes: Any) -> RulesEntry:
    return RulesEntry(**{**dict(entry), **changes})


def _about(rules: RoutingRules, version: int, at_s: float, reason: str | None = None) -> RoutingRules:
    return RoutingRules(**{**dict(rules), "version": version, "created_at_s": at_s, "reason": reason or rules.reason})


def _new_id() -> str:
    return f"rules-{secrets.token_hex(PROPOSAL_BYTES)}"
