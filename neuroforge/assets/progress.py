"""How far a pull has come, summed over the parts that come in at the same time."""

import threading
from typing import Protocol


class Progress(Protocol):
    """Told often, from several threads but never from two at once; must return quickly."""

    def __call__(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """`total_bytes` is None while a part's size is unknown; both count bytes on the wire, not in the file."""
        ...


class Meter:
    """Adds up the parts of one asset."""

    def __init__(self, name: str, report: Progress | None) -> None:
        self._name = name
        self._report = report
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._expected: dict[str, int | None] = {}

    def expect(self, part: str, n_bytes: int | None) -> None:
        """Announce a part, or learn its size."""
        with self._lock:
            self._expected[part] = n_bytes
            self._done.setdefault(part, 0)

    def reach(self, part: str, done_bytes: int) -> None:
        """A part has come this far."""
        with self._lock:
            self._done[part] = done_bytes
            self._tell()

    def drop(self, part: str) -> None:
        """A part will not come: its source failed."""
        with self._lock:
            self._done.pop(part, None)
            self._expected.pop(part, None)

    def _tell(self) -> None:
        if self._report is None:
            return
        sizes = [self._expected.get(part) for part in self._done]
        known = [size for size in sizes if size is not None]
        total = sum(known) if len(known) == len(sizes) else None
        self._report(self._name, sum(self._done.values()), total)
