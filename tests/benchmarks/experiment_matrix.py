"""A matrix on an engine of fixed latency: which share of its time it works, what a cell costs, how memory grows.

Engine, driver, Ray and its ask-actors share the machine. The engine counts its own busy time; memory is that of the
driver and all ask-actors together, sampled.
"""

import asyncio
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from neuroforge.client import AsyncClient
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig
from neuroforge.experiments.run import ExperimentRunner, RunnerParts
from tests.benchmarks.aside import aside
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.matrix_process import score

LEAST_BUSY = 0.90
MOST_MS_A_CELL = 3.0
MOST_GROWTH_MIB = 256.0
LEAST_FASTER = 20.0
MODEL = "fixed"


@dataclass(frozen=True)
class Seen:
    """One run of a matrix."""

    result: MatrixResult
    seconds: float
    peak_mib: float
    engine: dict[str, Any]


def questions(n: int) -> Iterator[DatasetItem]:
    """Short questions, each another."""
    for one in range(n):
        yield DatasetItem(id=f"q{one}", dataset="quiz", query=f"Is {one} even?", scorer="exact", references=("yes",))


def config(use_cache: bool = False) -> ExperimentConfig:
    """One model, one prompt."""
    return ExperimentConfig(name="bench", models=(MODEL,), datasets=(DatasetSource(name="quiz"),), use_cache=use_cache)


def engine(n_slots: int, latency_s: float) -> AbstractContextManager[str]:
    """A counting engine in a process of its own; yields its address."""
    return aside("tests.counting_engine", MODEL, str(n_slots), str(latency_s))


@contextmanager
def own_ray() -> Iterator[None]:
    """A Ray of our own, for this process."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="warning", object_store_memory=512 * 2**20)
    try:
        yield
    finally:
        ray.shutdown()
        del os.environ["RAY_AUTH_MODE"]


def run_matrix(directory: Path, url: str, n_cells: int, use_cache: bool = False) -> Seen:
    """Set up and execute on Ray Data."""
    with _memory() as peak:
        begun_s = time.perf_counter()
        result = asyncio.run(_run(directory, url, n_cells, use_cache))
        seconds = time.perf_counter() - begun_s
    if result.progress.n_done != n_cells or result.progress.n_errors:
        raise RuntimeError(f"a figure over errors is none: {result.progress}")
    counts = orjson.loads(urllib.request.urlopen(f"{url}/counts").read())
    return Seen(result, seconds, peak[0] / 2**20, counts)


async def _run(directory: Path, url: str, n_cells: int, use_cache: bool) -> MatrixResult:
    from cluster.cells import GatewayAddress
    from cluster.data import RayDataExecutor

    async with AsyncClient(url) as client:
        parts = RunnerParts(hosted=client, executor=RayDataExecutor(GatewayAddress(url)), scorer=score)
        runner = ExperimentRunner(directory, parts)
        try:
            return await runner.execute_matrix(await runner.setup_experiment(config(use_cache), questions(n_cells)))
        finally:
            runner.close()


@contextmanager
def _memory(every_s: float = 0.5) -> Iterator[list[float]]:
    """Peak resident bytes of this process and of all ask-actors."""
    peak, is_over = [0.0], threading.Event()

    def sample() -> None:
        while not is_over.wait(every_s):
            total = 0
            for process in psutil.process_iter(["pid", "cmdline", "memory_info"]):
                words = " ".join(process.info["cmdline"] or ())
                if process.info["pid"] == os.getpid() or "MapWorker" in words:
                    total += process.info["memory_info"].rss
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()


def busy(home: Path) -> list[Figure]:
    """3,000 cells of 50 ms on 8 slots."""
    with engine(8, 0.05) as url:
        seen = run_matrix(home / "experiments" / "busy", url, 3000)
    return [
        at_least("share of its slots' time that the engine works", seen.engine["busy_share"], "share", LEAST_BUSY),
        Figure("  whole run, Ray Data's start included", seen.seconds, "s"),
    ]


def large(home: Path, n_small: int = 10_000, n_large: int = 100_000) -> list[Figure]:
    """An engine that answers at once, 32 slots: what is left is ours, the engine's and the client's own work."""
    with engine(32, 0.0) as url:
        small = run_matrix(home / "experiments" / "small", url, n_small)
    with engine(32, 0.0) as url:
        seen = run_matrix(home / "experiments" / "large", url, n_large)
    growth = seen.peak_mib - small.peak_mib
    return [
        at_most(f"time a cell, {n_large:,} cells", seen.seconds / n_large * 1e3, "ms", MOST_MS_A_CELL),
        Figure(f"time a cell, {n_small:,} cells", small.seconds / n_small * 1e3, "ms"),
        Figure(f"peak memory of driver and ask-actor, {n_large:,} cells", seen.peak_mib, "MiB"),
        at_most(f"  more than with {n_small:,} cells", growth, "MiB", MOST_GROWTH_MIB),
    ]


def cache(home: Path) -> list[Figure]:
    """1,000 cells of 100 ms on 4 slots, then the same as another experiment."""
    with engine(4, 0.1) as url:
        first = run_matrix(home / "experiments" / "first", url, 1000, use_cache=True)
        second = run_matrix(home / "experiments" / "second", url, 1000, use_cache=True)
    n_calls = second.engine["n_calls"] - first.engine["n_calls"]
    return [
        at_most("model calls of the second run", n_calls, "calls", 0),
        at_least("first run / second run", first.seconds / second.seconds, "ratio", LEAST_FASTER),
        Figure("  second run", second.seconds, "s"),
    ]


def throughput() -> list[Figure]:
    """All that concerns speed on an engine of fixed latency."""
    with tempfile.TemporaryDirectory(prefix="nf-bench-") as directory, own_ray():
        return [*busy(Path(directory)), *large(Path(directory))]


def reuse() -> list[Figure]:
    """The cache."""
    with tempfile.TemporaryDirectory(prefix="nf-bench-") as directory, own_ray():
        return cache(Path(directory))
