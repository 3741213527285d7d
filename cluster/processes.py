"""Processes of ours that outlive a killed server: found by what their command line holds, ended, and only those.

HAProxy survives its driver and `ray stop -f`, keeps the port and answers 500; Ray's agents may stay for a minute (seen
with Ray 2.60).
"""

import contextlib
import logging
import signal
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

_RAY_NAMES = ("ray", "gcs_server")
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


def end_orphans(haproxy_dir: Path, session_dir: Path | None) -> int:
    """End what a killed server left behind; return how many processes there were.

    HAProxy is known by its configuration's directory, Ray's processes by their log files.

    Args:
        session_dir: Of the Ray cluster that the server had started itself; None = it had joined one, which is not ours.
    """
    found = [one for one in psutil.process_iter(["name", "cmdline"]) if _is_left_behind(one, haproxy_dir, session_dir)]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _gone, alive = psutil.wait_procs(found, timeout=_GRACE_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return len(found)


def _is_left_behind(process: psutil.Process, haproxy_dir: Path, session_dir: Path | None) -> bool:
    name, words = process.info["name"] or "", process.info["cmdline"] or []
    if "haproxy" in name:
        return any(word.startswith(f"{haproxy_dir}/") for word in words)
    is_rays = name.startswith(_RAY_NAMES) or any("/ray/dashboard/" in word for word in words)
    if session_dir is None or not is_rays:
        return False
    try:
        return any(one.path.startswith(f"{session_dir}/") for one in process.open_files())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
