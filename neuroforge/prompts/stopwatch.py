"""How long a run has worked, over all its starts."""

from pathlib import Path

from neuroforge.contracts.ports import Clock
from neuroforge.errors import DataError
from neuroforge.storage.files import write_whole

ELAPSED = "elapsed"
EVERY_S = 1.0
"""A process that is killed loses so much, and what has passed since the last answer."""


class Stopwatch:
    """Runs from where the last process left it; kept as text, in seconds."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """`clock` is monotonic. Raises DataError: The file holds no number of seconds."""
        self._path = path
        self._clock = clock
        self._begun_s = clock()
        self._kept_s = self._begun_s
        try:
            self._before_s = float(path.read_text()) if path.exists() else 0.0
        except ValueError as error:
            raise DataError(f"{path}: is no number of seconds; use another directory") from error

    @property
    def elapsed_s(self) -> float:
        """Of all starts together."""
        return self._before_s + self._clock() - self._begun_s

    def tick(self) -> None:
        """Keep the time, now and then."""
        if self._clock() - self._kept_s >= EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Keep the time now."""
        self._kept_s = self._clock()
        write_whole(self._path, f"{self.elapsed_s:.3f}".encode())
