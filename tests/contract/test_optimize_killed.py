"""`neuroforge optimize` over real HTTP, killed at random moments: nothing is lost, next to nothing is asked twice."""

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
import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizationResult, PromptStrategy
from neuroforge.prompts.directory import CANDIDATES, EVALUATIONS, REPORT, RESULT
from tests.counting_engine import CountingEngine, counting
from tests.search_process import WRITER, config, tutor

N_SLOTS = 4
TIMED = ("latency_s", "is_on_front")
"""The front is of fitness, prompt tokens and latency."""


@dataclass(frozen=True)
class Optimize:
    """The command, with a home of its own."""

    home: Path
    url: str
    strategy: PromptStrategy

    @property
    def directory(self) -> Path:
        return self.home / "run"

    def start(self) -> "subprocess.Popen[str]":
        self.home.mkdir(exist_ok=True)
        task = self.home / "task.yaml"
        task.write_text(config(budget=Budget(max_calls=500), strategy=self.strategy).model_dump_json())  # JSON is YAML
        environment = {**os.environ, "NEUROFORGE_HOME": str(self.home), "NEUROFORGE_TRACKING__ENABLED": "false"}
        words = ["--url", self.url, "optimize", str(task), "--out", str(self.directory), "--yes"]
        return subprocess.Popen(
            [sys.executable, "-m", "cluster.cli", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> str:
        run = self.start()
        printed, told = run.communicate(timeout=240)
        assert run.returncode == 0, printed[-2000:] + told[-3000:]
        return printed

    def result(self) -> dict[str, Any]:
        """All but what depends on the time, or names the directory: how to register what could not be registered."""
        text = (self.directory / RESULT).read_text().replace(str(self.directory), "DIRECTORY")
        return OptimizationResult.model_validate_json(text).model_dump(exclude={"elapsed_s", "front"})

    def rows(self, name: str) -> list[dict[str, Any]]:
        table = pq.read_table(self.directory / name)
        found: list[dict[str, Any]] = table.drop_columns(
            [one for one in TIMED if one in table.schema.names]
        ).to_pylist()
        return found


def kill_amid(run: "subprocess.Popen[str]", engine: CountingEngine, n_calls: int, until_s: float) -> bool:
    """Kill it when so many calls were made, or at that moment; whether calls were in flight."""
    while engine.n_calls < n_calls and time.monotonic() < until_s and run.poll() is None:
        time.sleep(0.001)  # watches another process
    is_amid = engine.n_open > 0
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    return is_amid


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("strategy", "n_kills"), [("evolution", 12), ("nas", 6)])
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    tmp_path: Path, strategy: PromptStrategy, n_kills: int
) -> None:
    draw = random.Random(11)
    with counting(["m", WRITER], N_SLOTS, latency_s=0.01) as (engine, url):
        engine.answer = tutor
        whole = Optimize(tmp_path / "whole", url, strategy)
        whole.finish()
        n_whole = engine.n_calls
        engine.calls.clear()
        killed = Optimize(tmp_path / "killed", url, strategy)
        n_amid = 0
        for number in range(n_kills):
            left = max(1, (n_whole - engine.n_calls) // (n_kills - number))
            until_s = time.monotonic() + (draw.uniform(0.5, 4.0) if number % 4 == 0 else 120.0)
            n_amid += kill_amid(killed.start(), engine, engine.n_calls + draw.randint(1, left), until_s)
        printed = killed.finish()
    assert n_amid >= n_kills // 2
    assert killed.result() == whole.result()
    assert killed.rows(CANDIDATES) == whole.rows(CANDIDATES)
    assert killed.rows(EVALUATIONS) == whole.rows(EVALUATIONS)
    n_twice = engine.report()["n_asked_twice"]
    assert n_twice <= n_kills * (N_SLOTS + config().population), (
        "only what was in flight: answers, and wishes of a step"
    )
    n_measured = sum(
        n - 1 for request, n in engine.calls.items() if request.startswith('["m"') and "Question" in request
    )
    assert n_measured <= n_kills * N_SLOTS
    assert f"report: {killed.directory / REPORT}" in printed
