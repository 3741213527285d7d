"""OptimizeProgress -> the file that the desk reads it from."""

from pathlib import Path

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.runs.shelf import PROGRESS_FILE
from neuroforge.storage.files import write_whole

EVERY_S = 1.0


class ProgressFile:
    """Written at most once a second, for answers may come by the hundred; each stage and generation at once."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        """`clock` is monotonic."""
        self._path = directory / PROGRESS_FILE
        self._clock = clock
        self._written_s = float("-inf")
        self._last: tuple[str, int] | None = None

    def write(self, progress: OptimizeProgress) -> None:
        """Take it in. Raises DiskFull, StorageError: it could not be written."""
        now_s, stage = self._clock(), (progress.phase, progress.generation)
        if stage == self._last and now_s - self._written_s < EVERY_S:
            return
        write_whole(self._path, progress.model_dump_json().encode())
        self._last, self._written_s = stage, now_s
