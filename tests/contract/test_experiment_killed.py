"""The real runner over real HTTP, killed at twenty random moments: nothing is lost and next to nothing asked twice."""

import os
from pathlib import Path

from tests.counting_engine import counting
from tests.killed_matrix import MatrixCommand, kill_at_random

N_ITEMS, N_SLOTS, MODELS = 300, 4, "a,b"
N_KILLS = 20


def test_a_run_killed_twenty_times_repeats_only_calls_in_flight(tmp_path: Path) -> None:
    n_cells = 2 * N_ITEMS
    environment = dict(os.environ)
    with counting(MODELS.split(","), N_SLOTS, latency_s=0.02) as (engine, url):
        killed = MatrixCommand(tmp_path / "experiments" / "killed", url, N_ITEMS, "local", MODELS, environment)
        n_amid = kill_at_random(killed, engine, n_cells, N_KILLS, seed=4)
        assert killed.finish() == f"done {n_cells}"
        n_calls = engine.n_calls
        whole = MatrixCommand(tmp_path / "experiments" / "whole", url, N_ITEMS, "local", MODELS, environment)
        assert whole.finish() == f"done {n_cells}"
    rows = killed.rows()
    assert n_amid >= N_KILLS // 2
    assert n_calls - n_cells <= N_KILLS * 2 * N_SLOTS
    assert len({row["cell_id"] for row in rows}) == len(rows) == n_cells
    assert rows == whole.rows()
