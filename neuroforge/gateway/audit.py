"""Audit events wait here until the next exchange with the store; never any text of a request or an answer."""

from collections import deque

from neuroforge.contracts.keys import AuditEvent

CAPACITY = 20_000
BATCH = 5_000


class AuditBuffer:
    """A bounded queue: when the store is away for long, the oldest events are dropped and counted."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._events: deque[AuditEvent] = deque()
        self._capacity = capacity
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: AuditEvent) -> None:
        """Queue one."""
        if len(self._events) >= self._capacity:
            self._events.popleft()
            self.n_dropped += 1
        self._events.append(event)

    def take(self) -> tuple[AuditEvent, ...]:
        """Remove and return the oldest, one batch at most."""
        return tuple(self._events.popleft() for _ in range(min(BATCH, len(self._events))))

    def put_back(self, events: tuple[AuditEvent, ...]) -> None:
        """Undo `take` after a failed exchange; order is kept, what no longer fits is dropped and counted."""
        n_free = self._capacity - len(self._events)
        kept = events[max(0, len(events) - n_free) :] if n_free > 0 else ()
        self.n_dropped += len(events) - len(kept)
        self._events.extendleft(reversed(kept))
