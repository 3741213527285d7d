"""Finished requests -> OutcomeRecords, as far as the operator lets them be kept."""

from collections import deque
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


class Finished(NamedTuple):
    """One decision with how it went."""

    kept: Kept
    outcome: Outcome
    at_s: float
    """Unix time."""
    turns: tuple[str, ...] | None
    """Texts to describe it by later; None = not wanted."""


class RecordBuffer:
    """A bounded queue between the requests and the exchange; of too many the newest are dropped."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: deque[Finished] = deque()
        self._max = max_waiting
        self._n_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, finished: Finished) -> None:
        """Put one in; returns at once."""
        if len(self._waiting) >= self._max:
            self._n_dropped += 1
        else:
            self._waiting.append(finished)

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
    kept, outcome = finished.kept, finished.outcome
    described = kept.described
    has_text = level == "text"
    embedding = None
    if described is not None and level in ("embedding", "text"):
        embedding = described.features.embedding[0].astype("<f2").tobytes()
    return OutcomeRecord(
        at_s=finished.at_s,
        decision=kept.decision,
        outcome=outcome if has_text or outcome.answer is None else Outcome(**{**dict(outcome), "answer": None}),
        actor=kept.request.actor,
        embedding=embedding,
        basis=tuple(described.basis.tolist()) if described else None,
        base_quality=described.base_quality if described else None,
        prompt=_prompt_of(finished) if has_text else None,
        answer=outcome.answer if has_text else None,
    )


def _prompt_of(finished: Finished) -> str | None:
    turns = finished.turns
    return "\n\n".join(turns)[:MAX_TEXT_CHARS] if turns else None
