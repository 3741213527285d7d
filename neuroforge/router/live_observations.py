"""Finished requests and feedback -> what a live test observes of its arms."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestTag
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.storage.outcome_rows import OutcomeRow

_ARM_FAILED = frozenset({429, 500, 502, 503, 504})
"""The arm gave no answer. A caller that left (499) or asked for what cannot be (4xx) says nothing of it."""
_MARK = '"live_test":'


class Observation(NamedTuple):
    """One finished request of an arm."""

    tag: LiveTestTag
    actor: str
    at_s: float
    has_failed: bool
    latency_s: float


def observations_of(rows: Iterable[OutcomeRow]) -> Iterator[Observation]:
    """Return what the rows say of arms of live tests; rows that say nothing are left out."""
    for row in rows:
        if _MARK not in row.decision:  # decoding each decision would cost more than all else
            continue
        tag = Decision.model_validate_json(row.decision).live_test
        outcome = Outcome.model_validate_json(row.outcome)
        has_failed = bool(row.is_failure) or outcome.status in _ARM_FAILED
        if tag is not None and (has_failed or 200 <= outcome.status < 300):
            yield Observation(tag, row.actor, row.at_s, has_failed, outcome.latency_s)


def value_of(spec: LiveTestSpec, seen: Observation) -> float | None:
    """Return the metric, 0..1; None = the request's end does not tell it, feedback may."""
    match spec.metric:
        case "success":
            return float(not seen.has_failed)
        case "speed":
            return 0.0 if seen.has_failed else max(0.0, 1.0 - seen.latency_s / spec.slow_s)
        case "score":
            return None
