"""Runs of `matrix_process` that are killed at random moments until one comes to its end."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from neuroforge.experiments.journal import JournalIndex
from tests.counting_engine import CountingEngine

SAME = ("cell_id", "item_id", "variant_id", "reply", "score", "answer", "finish_reason", "error_code", "cost_usd")
"""Columns that do not tell the time."""


@dataclass(frozen=True)
class MatrixCommand:
    """One run, as a command."""

    directory: Path
    url: str
    n_items: int
    kind: str
    models: str
    environment: dict[str, str]

    def start(self) -> "subprocess.Popen[str]":
        """Start it."""
        words = [str(self.directory), self.url, str(self.n_items), self.kind, self.models]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.matrix_process", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> str:
        """Run it to its end; return what it printed last."""
        run = self.start()
        printed, told = run.communicate(timeout=240)
        assert run.returncode == 0, told[-3000:]
        return printed.strip().splitlines()[-1]

    def rows(self) -> list[dict[str, Any]]:
        """Its result, less what tells the time."""
        found: list[dict[str, Any]] = pq.read_table(self.directory / "cells.parquet", columns=list(SAME)).to_pylist()
        return found


def kill_at_random(command: MatrixCommand, engine: CountingEngine, n_cells: int, n_kills: int, seed: int) -> int:
    """Kill so many runs: each after a random number of calls, or, one in four, of seconds. Returns kills amid calls."""
    draw = random.Random(seed)
    n_amid = 0
    for number in range(n_kills):
        run = command.start()
        left = n_cells - len(JournalIndex(command.directory))
        wanted = engine.n_calls + draw.randint(1, max(1, left // (n_kills - number)))
        until_s = time.monotonic() + (draw.uniform(0.2, 2.0) if number % 4 == 0 else 120.0)
        while engine.n_calls < wanted and time.monotonic() < until_s and run.poll() is None:
            time.sleep(0.001)  # watches another process
        n_amid += engine.n_open > 0
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
    return n_amid
