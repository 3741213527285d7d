"""Finished requests -> OutcomeRecords, as far as the operator lets them be kept."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.outcomes import OutcomeRecord, RecordLevel
from neuroforge.contracts.routing import Decision, FleetSnapshot, Outcome, RoutingRequest
from neuroforge.router.features import Features

MAX_WAITING = 4096
"""Finished requests that may wait for the learner; more are dropped and counted."""
MAX_TEXT_CHARS = 100_000


class Described(NamedTuple):
    """What of a request the learner learns from."""

    features: Features
    basis: NDArray[np.float64]
    base_quality: float
    """Of the chosen model."""


class Kept(NamedTuple):
    """What a replica remembers of a decision until its end."""

    request: RoutingRequest
    decision: Decision
    fleet: FleetSnapshot
    described: Described | None
    """None = the choice needed no features; the background may make them up."""


class Aside(NamedTuple):
    """What it takes, beside the texts, to describe a request when it is over."""

    request: RoutingRequest
    """Without its body."""
    fleet: FleetSnapshot


class Finished(NamedTuple):
    """One decision with how it went."""

    decision: Decision
    outcome: Outcome
    actor: str
    at_s: float
    """Unix time."""
    described: Described | None
    turns: tuple[str, ...] = ()
    """Its texts, where they are wanted."""
    aside: Aside | None = None
    """None = described already, or not wanted."""


class RecordBuffer:
    """A bounded queue between the requests and the exchange; of too many the newest are dropped."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: deque[Finished] = deque()
        self._tell: Callable[[], None] | None = None
        self._max = max_waiting
        self._n_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def listen(self, tell: Callable[[], None] | None) -> None:
        """Have `tell` called whenever one was put in; it must return at once."""
        self._tell = tell

    def add(self, finished: Finished) -> None:
        """Put one in; returns at once."""
        if len(self._waiting) >= self._max:
            self._n_dropped += 1
            return
        self._waiting.append(finished)
        if self._tell is not None:
            self._tell()

    def take(self, n: int) -> list[Finished]:
        """Take out the oldest, at most `n`."""
        return [self._waiting.popleft() for _ in range(min(n, len(self._waiting)))]

    def lose(self, n: int) -> None:
        """Count what was taken and could not be delivered."""
        self._n_dropped += n

    def take_dropped(self) -> int:
        """Return how many were lost since the last call."""
        n_dropped, self._n_dropped = self._n_dropped, 0
        return n_dropped


def make_record(finished: Finished, level: RecordLevel) -> OutcomeRecord:
    """Return what the learner gets: nothing that the level does not allow."""
    outcome, described = finished.outcome, finished.described
    has_text = level == "text"
    embedding = None
    if described is not None and level in ("embedding", "text"):
        embedding = described.features.embedding[0].astype("<f2").tobytes()
    return OutcomeRecord(
        at_s=finished.at_s,
        decision=finished.decision,
        outcome=outcome if has_text or outcome.answer is None else Outcome(**{**dict(outcome), "answer": None}),
        actor=finished.actor,
        embedding=embedding,
        basis=tuple(described.basis.tolist()) if described else None,
        base_quality=described.base_quality if described else None,
        prompt="\n\n".join(finished.turns)[:MAX_TEXT_CHARS] if has_text and finished.turns else None,
        answer=outcome.answer if has_text else None,
    )
