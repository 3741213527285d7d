"""Seconds from `neuroforge serve` to ready with warm caches, weight idle and on disk, and seconds of CLI commands."""

import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from neuroforge.assets.store import AssetStore
from neuroforge.settings import DEFAULT_MODELS
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.fixed_server import EMBEDDER
from tests.server import RunningServer, serving

READY_LIMIT_S = 60.0
HELP_LIMIT_S = 0.5
STATUS_LIMIT_S = 1.0
SIZE_LIMIT_BYTES = 1.3e9
N_TRIES = 5


def run(home: Path, assets_home: Path, with_litellm: bool) -> list[Figure]:
    """Measure; see the module docstring. `with_litellm` has no meaning here."""
    del with_litellm
    store = AssetStore(assets_home)
    for name in (*(spec.asset_name for spec in DEFAULT_MODELS), EMBEDDER):
        if name is not None:
            store.ensure(name)
    started_s = time.monotonic()
    with serving(home, assets_home / "assets", {}) as server:
        ready_s = time.monotonic() - started_s
        status_s = _median_seconds(server, "status")
        help_s = _median_seconds(server, "--help")
        idle_bytes = tree_bytes(server.state["pid"])
    size_bytes = installed_bytes("neuroforge")
    return [
        at_most("serve with warm caches to ready, the two default models", ready_s, "s", READY_LIMIT_S),
        at_most("neuroforge --help", help_s, "s", HELP_LIMIT_S),
        at_most("neuroforge status", status_s, "s", STATUS_LIMIT_S),
        Figure("idle memory, all processes, the two default models loaded", idle_bytes / 2**20, "MiB"),
        at_most("installed size, without models", size_bytes / 1e6, "MB", SIZE_LIMIT_BYTES / 1e6),
    ]


def _median_seconds(server: RunningServer, *words: str) -> float:
    command = [str(Path(sys.executable).with_name("neuroforge")), *words]
    seconds = []
    for _ in range(N_TRIES):
        started_s = time.monotonic()
        subprocess.run(command, env=server.environment, check=True, capture_output=True)
        seconds.append(time.monotonic() - started_s)
    return statistics.median(seconds)


def tree_bytes(pid: int) -> int:
    """Unique memory of the process and all below it: what would come free if they went."""
    root = psutil.Process(pid)
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += int(process.memory_full_info().uss)
        except psutil.NoSuchProcess:
            continue
    return total


def installed_bytes(name: str) -> int:
    """Size on disk of a distribution and all that it needs, without extras; byte code counts, as users have it."""
    done: set[tuple[str, str]] = set()
    found: set[str] = set()
    waiting = [(name, "")]
    while waiting:
        one, extra = waiting.pop()
        if (one, extra) in done:
            continue
        done.add((one, extra))
        found.add(one)
        for line in metadata.requires(one) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed.name, wanted) for wanted in ("", *needed.extras)]
    return sum(_file_bytes(one) for one in found)


def _file_bytes(name: str) -> int:
    files = metadata.files(name) or ()
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())
