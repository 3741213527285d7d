"""Who may run now: first come, first served, over runs of all kinds."""

from collections import deque
from collections.abc import Callable


class Turns:
    """As many at once as the settings allow; lives in one event loop. A run is known by its id."""

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._waiting: deque[tuple[str, Callable[[], None]]] = deque()
        self._running: set[str] = set()

    def wait(self, run_id: str, begin: Callable[[], None]) -> None:
        """Call `begin` when it is this run's turn, perhaps at once; the turn lasts until `leave`."""
        self._waiting.append((run_id, begin))
        self._pump()

    def withdraw(self, run_id: str) -> bool:
        """Take it out of the queue; return whether it waited."""
        n_before = len(self._waiting)
        self._waiting = deque(one for one in self._waiting if one[0] != run_id)
        return len(self._waiting) < n_before

    def take(self, run_id: str) -> None:
        """Note a run that runs already, however many do."""
        self._running.add(run_id)

    def leave(self, run_id: str) -> None:
        """Let the next one begin."""
        self._running.discard(run_id)
        self._pump()

    def _pump(self) -> None:
        while self._waiting and len(self._running) < self._max_running:
            run_id, begin = self._waiting.popleft()
            self._running.add(run_id)
            begin()
