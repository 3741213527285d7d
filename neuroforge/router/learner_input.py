"""What the learner is given: rules, options, and reports as plain values that cost little to send and to store."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from neuroforge.contracts.outcomes import LearnerReply, OutcomeRecord, RecordLevel
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.rules import RoutingRules
from neuroforge.router.feedback import has_failed
from neuroforge.storage.outcome_rows import OutcomeRow, row_of


class LiveRules(Protocol):
    """What the learner needs of the rules."""

    @property
    def live(self) -> RoutingRules:
        """Those in force; another object after each change."""
        ...

    def observe(self, decisions: Iterable[Decision]) -> None:
        """Live decisions, for rules that run in shadow."""
        ...


@dataclass(frozen=True)
class LearnerOptions:
    """What the operator configured."""

    record: RecordLevel
    retention_s: float
    half_life_s: float


class LearnerReport(NamedTuple):
    """What a gateway replica tells the learner, at least once a second. Plain values: they cost little to send."""

    rows: tuple[OutcomeRow, ...] = ()
    n_dropped: int = 0
    """Outcomes lost since the last report."""
    known_version: int = 0
    known_fit: str = ""
    clusters: bytes | None = None
    """Kinds that the replica found in its traffic, while there is no fit: means of many texts (router/clusters.py)."""


class OutcomeTaker(Protocol):
    """The learner, over a handle."""

    async def exchange(self, report: LearnerReport) -> LearnerReply:
        """Hand over outcomes, get the newest snapshot."""
        ...


def pack_row(record: OutcomeRecord, level: RecordLevel) -> OutcomeRow | None:
    """Return what may be kept of one record; None = nothing. Done where it is made: no more than that leaves there."""
    return None if level == "none" else row_of(record, level, has_failed(record.outcome))
