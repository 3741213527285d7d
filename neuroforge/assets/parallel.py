"""Several blocking steps at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from neuroforge.assets.failures import SourceFailed

N_WORKERS = 4
Result = TypeVar("Result")


def run_in_parallel(steps: Sequence[Callable[[], Result]], stop: threading.Event) -> list[Result]:
    """Return the results in order; the first failure in order is raised and steps that have not begun are dropped.

    A failed source lets what is running come to its end, since it may serve the next attempt; anything else (Ctrl-C, a
    full disk) sets `stop`, which running downloads obey.
    """
    if len(steps) == 1:
        return [steps[0]()]
    with ThreadPoolExecutor(min(N_WORKERS, len(steps)), thread_name_prefix="assets") as pool:
        futures = [pool.submit(step) for step in steps]
        try:
            return [future.result() for future in futures]
        except SourceFailed:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
