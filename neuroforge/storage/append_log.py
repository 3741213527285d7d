"""Lines that survive the process: a file that only grows, with one writer at a time."""

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from neuroforge.contracts.ports import Clock
from neuroforge.errors import ConflictError, DiskFull

SYNC_ROWS = 16
SYNC_S = 2.0


class AppendLog:
    """One process at a time, any number of its threads.

    Each line is handed to the kernel at once, so that killing the process loses nothing; the disk is asked to keep it
    every 16 lines or 2 s, which is what a power failure may cost. A line that a killed process left unfinished is cut
    off, and so is one that the disk had no room for.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        sync: Callable[[int], None] = os.fsync,
        check: Callable[[Path], None] = lambda _path: None,
    ) -> None:
        """Args:
        clock: Monotonic.
        check: Looks at the file, under the lock, before anything in it is changed.

        Raises:
            ConflictError: Another process writes it.
            DiskFull: It cannot be made.
        """
        self.path = path
        self._clock = clock
        self._sync_file = sync
        self._guard = threading.Lock()
        self._n_unsynced = 0
        self._synced_at_s = clock()
        self._lock = lock_of(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConflictError(f"{path}: another process is writing it; wait for it, or write elsewhere") from error
        except OSError as error:
            raise _full(path, error) from error
        try:
            check(path)
            _cut_torn_line(path)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            self._lock.release()
            raise _full(path, error) from error
        except BaseException:
            self._lock.release()
            raise

    def append(self, *lines: bytes) -> None:
        """Keep the lines, each without its end.

        Raises:
            DiskFull: No space; what was kept before is whole, and none of these lines is kept.
        """
        content = b"".join(line + b"\n" for line in lines)
        with self._guard:
            begun_at = os.lseek(self._file.fileno(), 0, os.SEEK_END)
            try:
                self._write(content)
            except OSError as error:
                with suppress(OSError):  # the first error is the one to tell; the next writer cuts what is left
                    self._file.truncate(begun_at)
                raise _full(self.path, error) from error
            self._n_unsynced += len(lines)
            if self._n_unsynced >= SYNC_ROWS or self._clock() - self._synced_at_s >= SYNC_S:
                try:
                    self._sync()
                except OSError as error:
                    raise _full(self.path, error) from error

    def close(self) -> None:
        """Ask the disk for the rest, and let other processes write."""
        with self._guard:
            if not self._file.closed:
                self._sync()
                self._file.close()
        self._lock.release()

    def _write(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) or 0 :]

    def _sync(self) -> None:
        if self._n_unsynced:
            self._sync_file(self._file.fileno())
        self._n_unsynced, self._synced_at_s = 0, self._clock()


def lock_of(path: Path) -> FileLock:
    """Return the lock that a file's writer holds; it goes with the process."""
    return FileLock(f"{path}.lock")


def wait_until_free(paths: Iterable[Path], timeout_s: float = 30.0) -> None:
    """Return when no process writes to them any more: one that was killed leaves its workers a moment.

    Raises:
        ConflictError: One still does.
    """
    for path in sorted(paths):
        lock = lock_of(path)
        try:
            lock.acquire(timeout=timeout_s, poll_interval=0.02)
        except Timeout as error:
            raise ConflictError(f"{path}: another process is writing it; wait for it") from error
        lock.release()


def _cut_torn_line(path: Path) -> None:
    """A process that was killed while it wrote leaves half a line, onto which the next would be glued."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        file.truncate(end)


def _full(path: Path, error: OSError) -> DiskFull:
    return DiskFull(f"{path}: cannot be written: {error.strerror}; what it holds is kept", path=str(path))
