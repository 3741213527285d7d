"""Memory of the processes that carry requests, read four times a second while something else presses."""

import os
import threading
import time
from types import TracebackType

import psutil

from tests.server import RunningServer

PERIOD_S = 0.25


def carriers(server: RunningServer) -> list[psutil.Process]:
    """Gateway with router (one process), and the proxy: HAProxy and Serve's actor beside it.

    Raises:
        RuntimeError: One of them is not there.
    """
    found: dict[str, list[psutil.Process]] = {"gateway": [], "haproxy": [], "ProxyActor": []}
    for process in psutil.Process(server.state["pid"]).children(recursive=True) + _orphans(server):
        words = " ".join([process.name(), *process.cmdline()])
        for name, processes in found.items():
            if name in words and (name == "haproxy" or "ray::" in words) and process not in processes:
                processes.append(process)
    if missing := [name for name, processes in found.items() if not processes]:
        raise RuntimeError(f"no process of: {', '.join(missing)}")
    return [process for processes in found.values() for process in processes]


def _orphans(server: RunningServer) -> list[psutil.Process]:
    """HAProxy may detach itself from its parent: found by the instance's directory in its command line."""
    from cluster.environment import haproxy_dir

    mark = str(haproxy_dir(server.home))
    return [one for one in psutil.process_iter() if one.pid != os.getpid() and any(mark in w for w in _words(one))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def resident_bytes(processes: list[psutil.Process]) -> int:
    """Resident memory, summed; a process that went away counts nothing."""
    total = 0
    for process in processes:
        try:
            total += int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total


class MemoryWatch:
    """Samples while the context is open."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self._processes = processes
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.samples: list[tuple[float, int]] = []
        """Seconds since the start, and bytes."""

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def quarter_mean(self, which: int) -> float:
        """Mean bytes over the first (1) to the last (4) quarter of the samples."""
        size = len(self.samples) // 4
        part = self.samples[(which - 1) * size : which * size]
        return sum(n_bytes for _, n_bytes in part) / len(part)

    def _sample(self) -> None:
        started_s = time.monotonic()
        while not self._is_over.wait(PERIOD_S):
            self.samples.append((time.monotonic() - started_s, resident_bytes(self._processes)))
