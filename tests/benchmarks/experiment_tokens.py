"""Tokens a second of SmolLM2 under a matrix on Ray Data, through the gateway, against the bare engine loop.

The same questions at the same four slots, one engine thread on both sides, blocks alternating in one run. Of a matrix
the time from its first call to its last reply is taken: setting up and Ray Data's start are told apart.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from neuroforge.assets.store import AssetStore
from tests.benchmarks.engine import SPEC
from tests.benchmarks.figures import Figure, at_least, median_ratio
from tests.benchmarks.fixed_server import EMBEDDER
from tests.benchmarks.run import ASSETS_HOME
from tests.server import RunningServer, serving

N_QUESTIONS, N_SLOTS, MAX_TOKENS = 32, 4, 96
N_BLOCKS = 3
LEAST_SHARE = 0.90


def questions(block: int) -> list[str]:
    """Other ones in each block, so that no prefix is longer than the template's."""
    return [f"Tell a long story about {block * N_QUESTIONS + one} sheep." for one in range(N_QUESTIONS)]


def run() -> list[Figure]:
    """Measure, on a server of its own; see the module docstring."""
    with tempfile.TemporaryDirectory(prefix="nf-bench-") as directory:
        return _compare(Path(directory) / "home", ASSETS_HOME.absolute())


def _compare(home: Path, assets_home: Path) -> list[Figure]:
    store = AssetStore(assets_home)
    store.ensure(EMBEDDER)
    weights = store.ensure(SPEC.id)
    settings = {"models": [SPEC.model_dump(mode="json", exclude_defaults=True)]}
    bare_rates, matrix_rates = [], []
    with serving(home, assets_home / "assets", settings) as server, _loop(weights) as loop:
        for block in range(N_BLOCKS):
            bare_rates.append(_bare(loop, questions(2 * block)))
            matrix_rates.append(_matrix(server, home / "experiments" / f"block{block}", questions(2 * block + 1)))
    ratio = median_ratio(matrix_rates, bare_rates)
    return [
        at_least("tokens a second of SmolLM2, matrix / bare engine loop", ratio, "ratio", LEAST_SHARE),
        Figure("  bare engine loop", sorted(bare_rates)[N_BLOCKS // 2], "tokens/s"),
        Figure("  matrix", sorted(matrix_rates)[N_BLOCKS // 2], "tokens/s"),
    ]


def _bare(loop: "subprocess.Popen[str]", asked: list[str]) -> float:
    assert loop.stdin is not None
    assert loop.stdout is not None
    bodies = [
        {"messages": [{"role": "user", "content": one}], "temperature": 0, "seed": 0, "max_tokens": MAX_TOKENS}
        for one in asked
    ]
    loop.stdin.write(json.dumps({"n_streams": N_SLOTS, "bodies": bodies}) + "\n")
    loop.stdin.flush()
    found = json.loads(loop.stdout.readline())
    return float(found["n_tokens"] / found["seconds"])


def _matrix(server: RunningServer, directory: Path, asked: list[str]) -> float:
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(server.home / "ray-token"),
        "RAY_ADDRESS": server.state["ray_address"],
    }
    words = [sys.executable, "-m", "tests.benchmarks.experiment_worker", str(directory), server.base_url, SPEC.id]
    subprocess.run(
        [*words, str(MAX_TOKENS)], input=json.dumps(asked), env=environment, text=True, check=True, timeout=280
    )
    rows: list[dict[str, Any]] = pq.read_table(directory / "cells.parquet").to_pylist()
    if any(row["error_code"] for row in rows) or len(rows) != len(asked):
        raise RuntimeError(f"a figure over errors is none: {[row['error'] for row in rows if row['error']]}")
    begun_s = min(row["at_s"] - row["latency_s"] for row in rows)
    return float(sum(row["n_completion_tokens"] for row in rows) / (max(row["at_s"] for row in rows) - begun_s))


@contextmanager
def _loop(weights: Path) -> "Iterator[subprocess.Popen[str]]":
    """In a session of its own, as the server is: Linux shares cores out between sessions first."""
    command = [sys.executable, "-m", "tests.benchmarks.engine_worker", str(weights), SPEC.model_dump_json()]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.wait(30)
