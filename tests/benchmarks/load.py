"""Closed-loop load from another process: wrk where it is installed, else `load_client`, a raw-socket client of ours."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRK_SCRIPT = Path(__file__).with_name("wrk_post.lua")


@dataclass(frozen=True)
class Load:
    """One block of requests."""

    n_requests: int
    seconds: float
    p50_s: float
    p95_s: float
    n_failed: int

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.n_requests / self.seconds


@dataclass(frozen=True)
class Target:
    """Where a block of requests goes."""

    url: str
    body: dict[str, Any]
    key: str = ""


def tool() -> str:
    """Which client makes the load; stands beside every figure."""
    return "wrk" if shutil.which("wrk") else "load_client"


def press(target: Target, concurrency: int, seconds: float) -> Load:
    """Keep `concurrency` requests open for so long.

    Raises:
        RuntimeError: The client failed, or a request did: a figure over errors is none.
    """
    environment = {**os.environ, "BENCH_BODY": json.dumps(target.body), "BENCH_KEY": target.key}
    done = subprocess.run(
        _command(target.url, concurrency, seconds), env=environment, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"{tool()} failed: {done.stderr or done.stdout}")
    found = json.loads(lines[-1])
    if found["n_failed"]:
        raise RuntimeError(f"{found['n_failed']} of {found['n_requests']} requests to {target.url} failed")
    return Load(
        n_requests=found["n_requests"],
        seconds=found["seconds"],
        p50_s=found["p50_us"] / 1e6,
        p95_s=found["p95_us"] / 1e6,
        n_failed=found["n_failed"],
    )


def _command(url: str, concurrency: int, seconds: float) -> list[str]:
    if tool() == "wrk":
        options = ["-t1", f"-c{concurrency}", f"-d{round(seconds)}s", "--timeout", "30s"]
        return ["wrk", *options, "-s", str(WRK_SCRIPT), url]
    return [sys.executable, "-m", "tests.benchmarks.load_client", url, str(concurrency), str(seconds)]
