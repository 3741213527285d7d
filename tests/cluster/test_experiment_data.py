"""The real runner on Ray Data, beside a loaded fleet: killed at random moments, and with a model that is down."""

from pathlib import Path

import pytest

from tests.cluster.test_ray_for_users import ray_environment
from tests.counting_engine import counting
from tests.killed_matrix import MatrixCommand, kill_at_random
from tests.server import RunningServer

N_ITEMS, N_SLOTS, MODELS = 300, 4, "a,b"
N_KILLS = 8
"""Twenty, without Ray, are in tests/contract/test_experiment_killed.py; here each takes a driver's start."""


def command(server: RunningServer, directory: Path, url: str, n_items: int = N_ITEMS) -> MatrixCommand:
    environment = {**ray_environment(server), "RAY_ADDRESS": server.state["ray_address"]}
    return MatrixCommand(directory, url, n_items, "ray", MODELS, environment)


@pytest.mark.timeout(900)  # ten drivers that each connect to Ray
def test_a_killed_run_repeats_only_calls_in_flight(gateway: RunningServer, tmp_path: Path) -> None:
    n_cells = 2 * N_ITEMS
    with counting(MODELS.split(","), N_SLOTS, latency_s=0.02) as (engine, url):
        killed = command(gateway, tmp_path / "experiments" / "killed", url)
        n_amid = kill_at_random(killed, engine, n_cells, N_KILLS, seed=5)
        assert killed.finish() == f"done {n_cells}"
        n_calls = engine.n_calls
        whole = command(gateway, tmp_path / "experiments" / "whole", url)
        assert whole.finish() == f"done {n_cells}"
    rows = killed.rows()
    assert n_amid >= N_KILLS // 2
    assert n_calls - n_cells <= N_KILLS * 2 * N_SLOTS
    assert len({row["cell_id"] for row in rows}) == len(rows) == n_cells
    assert rows == whole.rows()


def test_a_dead_model_leaves_the_data_job_and_the_others(gateway: RunningServer, tmp_path: Path) -> None:
    with counting(MODELS.split(","), N_SLOTS) as (engine, url):
        engine.down.add("b")
        run = command(gateway, tmp_path / "experiments" / "down", url, n_items=20)
        assert run.finish() == "done 40"
    rows = run.rows()
    assert {row["error_code"] for row in rows if row["variant_id"] == "b"} == {"model_unavailable"}
    assert {row["error_code"] for row in rows if row["variant_id"] == "a"} == {None}
