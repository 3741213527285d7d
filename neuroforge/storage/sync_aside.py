"""Asks the disk in a thread of its own to keep a file, so that an event loop does not stand still meanwhile."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class SyncAside:
    """An AppendLog's `sync` for writers in an event loop; what the disk refuses is raised by the next call or close."""

    def __init__(self, sync: Callable[[int], None] = os.fsync) -> None:
        self._sync = sync
        self._thread = ThreadPoolExecutor(1, "sync")
        self._last: Future[None] | None = None
        self._failure: OSError | None = None

    def __call__(self, file: int) -> None:
        """Ask for what was written so far. One that has not begun yet covers it.

        Raises:
            OSError: An earlier one failed.
        """
        self._raise_failure()
        if self._last is None or self._last.running() or self._last.done():
            self._last = self._thread.submit(self._keep, os.dup(file))

    def close(self) -> None:
        """Wait for the disk. Raises OSError: one failed."""
        self._thread.shutdown()
        self._raise_failure()

    def _keep(self, file: int) -> None:
        try:
            self._sync(file)
        except OSError as error:
            self._failure = error
        finally:
            os.close(file)

    def _raise_failure(self) -> None:
        if (failure := self._failure) is not None:
            self._failure = None
            raise failure
