"""Processes of ours that outlive a killed server: found by what their command line holds, ended, and only those.

HAProxy survives its driver and `ray stop -f`, keeps the port and answers 500 (seen with Ray 2.60).
"""

import logging
import signal
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

_GRACE_S = 5.0


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(pid: int, number: signal.Signals, timeout_s: float) -> None:
    """Send the signal and wait; what is left after the timeout is killed."""
    try:
        process = psutil.Process(pid)
        process.send_signal(number)
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        logger.warning("killed: it did not stop in time", extra={"pid": pid, "timeout_s": timeout_s})
        process.kill()


def end_orphans(haproxy_dir: Path) -> int:
    """End every HAProxy whose configuration lies in this directory; return how many there were."""
    prefix = f"{haproxy_dir}/"
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        if "haproxy" in (process.info["name"] or "") and any(
            word.startswith(prefix) for word in process.info["cmdline"] or []
        ):
            process.terminate()
            found.append(process)
    _gone, alive = psutil.wait_procs(found, timeout=_GRACE_S)
    for process in alive:
        process.kill()
    return len(found)
