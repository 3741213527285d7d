"""What the learner is given: rules, options, and reports as plain values that cost little to send and to store."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from neuroforge.contracts.outcomes import LearnerReport, OutcomeRecord, RecordLevel
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


class Packed(NamedTuple):
    """A LearnerReport as plain values."""

    rows: tuple[OutcomeRow, ...]
    n_dropped: int
    known_version: int
    known_fit: str
    clusters: bytes | None = None


def pack(report: LearnerReport, level: RecordLevel) -> Packed:
    """Return what may be kept of a report; done where the report is made, so that no more than that leaves it."""
    return pack_around(report, [row for one in report.records if (row := pack_row(one, level)) is not None])


def pack_row(record: OutcomeRecord, level: RecordLevel) -> OutcomeRow | None:
    """Return what may be kept of one record; None = nothing."""
    return None if level == "none" else row_of(record, level, has_failed(record.outcome))


def pack_around(report: LearnerReport, rows: list[OutcomeRow]) -> Packed:
    """Return the report with these rows in place of its records."""
    return Packed(tuple(rows), report.n_dropped, report.known_version, report.known_fit, report.clusters)
