"""The real runner on Ray Data, beside a loaded fleet: it or what asks for it is killed, and a model is down."""

from pathlib import Path

import psutil
import pytest

from tests.cluster.fleet import title_of, until
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


def ask_actors(server: RunningServer) -> list[psutil.Process]:
    """One a lane."""
    everything = psutil.Process(int(server.state["pid"])).children(recursive=True)
    return [one for one in everything if "AskActor" in title_of(one)]


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


@pytest.mark.timeout(600)  # Ray takes a while to start another actor on a busy machine
def test_ask_actors_that_are_killed_come_back_and_repeat_only_calls_in_flight(
    gateway: RunningServer, tmp_path: Path
) -> None:
    n_cells, n_killed = 2 * N_ITEMS, 0
    with counting(MODELS.split(","), N_SLOTS, latency_s=0.05) as (engine, url):
        run = command(gateway, tmp_path / "experiments" / "actors", url)
        driver = run.start()
        for share in (0.25, 0.6):
            until(lambda share=share: engine.n_calls >= share * n_cells, f"{share:.0%} are asked")
            for victim in ask_actors(gateway):
                victim.kill()
                n_killed += 1
        printed, told = driver.communicate(timeout=400)
        n_calls = engine.n_calls
    assert driver.returncode == 0, told[-3000:]
    assert f"done {n_cells}" in printed.splitlines(), "beside what Ray says of dead workers"
    until(lambda: not ask_actors(gateway), "they end with the matrix")
    rows = run.rows()
    assert n_killed >= 2
    # A slot's next call leaves before its last reply is written down, so that the model waits less.
    assert n_calls - n_cells <= n_killed * 2 * N_SLOTS
    assert len({row["cell_id"] for row in rows}) == len(rows) == n_cells
    assert {row["error_code"] for row in rows} == {None}


def test_a_dead_model_leaves_the_data_job_and_the_others(gateway: RunningServer, tmp_path: Path) -> None:
    with counting(MODELS.split(","), N_SLOTS) as (engine, url):
        engine.down.add("b")
        run = command(gateway, tmp_path / "experiments" / "down", url, n_items=20)
        assert run.finish() == "done 40"
    rows = run.rows()
    assert {row["error_code"] for row in rows if row["variant_id"] == "b"} == {"model_unavailable"}
    assert {row["error_code"] for row in rows if row["variant_id"] == "a"} == {None}
