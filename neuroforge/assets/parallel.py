"""Several blocking steps at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

from neuroforge.assets.failures import SourceFailed

N_WORKERS = 4
Result = TypeVar("Result")


def run_in_parallel(steps: Sequence[Callable[[], Result]], stop: threading.Event) -> list[Result]:
    """Return the results in order. After a failure, steps that have not begun are dropped and the others waited for.

    A failed source lets them come to their end, since what they fetch may serve the next attempt; anything else
    (Ctrl-C, a full disk) sets `stop`, which running downloads obey, and is what is raised.
    """
    with ThreadPoolExecutor(min(N_WORKERS, max(1, len(steps))), thread_name_prefix="assets") as pool:
        futures = [pool.submit(partial(_run, step, stop)) for step in steps]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    failures = [future.exception() for future in futures if not future.cancelled()]
    causes = sorted((one for one in failures if one is not None), key=lambda one: isinstance(one, SourceFailed))
    if causes:
        raise causes[0]
    return [future.result() for future in futures]


def _run(step: Callable[[], Result], stop: threading.Event) -> Result:
    try:
        return step()
    except SourceFailed:
        raise
    except BaseException:
        stop.set()
        raise
