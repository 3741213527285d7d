"""Prompt searches on Ray Tune beside a loaded fleet: the same as in one process, and whole after kills."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.prompts.directory import RESULT
from neuroforge.storage.append_log import wait_until_free
from tests.cluster.test_ray_for_users import ray_environment, submit
from tests.counting_engine import CountingEngine, counting
from tests.search_process import WRITER, SearchCommand, config, tutor
from tests.server import RunningServer

N_SLOTS = 4
N_KILLS = 5


SOON_S = 0.002
"""For what must only be the same, whoever answers first: calls then need not last until somebody is killed."""


@contextmanager
def model(latency_s: float = 0.02) -> Iterator[tuple[CountingEngine, str]]:
    """A model and a writer, which take now a little, now three times as long."""
    with counting(["m", WRITER], N_SLOTS, latency_s) as (engine, url):
        engine.answer, engine.spread_s = tutor, 2 * latency_s
        yield engine, url


def on_tune(server: RunningServer, directory: Path, url: str) -> SearchCommand:
    environment = {**ray_environment(server), "RAY_ADDRESS": server.state["ray_address"]}
    return SearchCommand(directory, url, config(), environment, N_SLOTS)


def n_asked_of_items(engine: CountingEngine) -> int:
    """Calls that measure, without those for ideas and for prompts."""
    return sum(n for request, n in engine.calls.items() if request.startswith('["m"') and "Question" in request)


@pytest.mark.timeout(600)
def test_tune_finds_what_one_process_finds_whoever_answers_first(gateway: RunningServer, tmp_path: Path) -> None:
    with model(SOON_S) as (_, url):
        here = SearchCommand(tmp_path / "here", url, config(), dict(os.environ))
        here.finish()
        there = on_tune(gateway, tmp_path / "there", url)
        _, told = there.finish()
    found = here.found()
    assert len(found["candidates"]) > 20
    assert {"reflect", "paraphrase", "combine"} & {operator for _, operator, _, _ in found["candidates"]}
    assert there.found() == found
    assert "Trial" not in told, "Tune's own tables"
    assert not (tmp_path / "there" / "tune").exists()


@pytest.mark.timeout(600)
def test_two_workers_find_what_one_finds(gateway: RunningServer, tmp_path: Path) -> None:
    large = config(population=48, n_generations=2, budget=Budget(max_calls=2000))
    with model(SOON_S) as (_, url):
        here = SearchCommand(tmp_path / "here", url, large, dict(os.environ))
        here.finish()
        two = replace(on_tune(gateway, tmp_path / "two", url), config=large, slots_a_worker=N_SLOTS // 2)
        two.finish()
    assert len(list((tmp_path / "two").glob("results-*.jsonl"))) >= 2
    assert two.found() == here.found()


@pytest.mark.timeout(900)  # as many drivers that each connect to Ray
def test_a_killed_search_loses_only_calls_in_flight(gateway: RunningServer, tmp_path: Path) -> None:
    draw = random.Random(6)
    with model() as (engine, url):
        whole = on_tune(gateway, tmp_path / "whole", url)
        whole.finish()
        n_whole = n_asked_of_items(engine)
        engine.calls.clear()
        killed = on_tune(gateway, tmp_path / "killed", url)
        n_amid = 0
        for number in range(N_KILLS):
            left = n_whole - n_asked_of_items(engine)
            wanted = n_asked_of_items(engine) + draw.randint(1, max(1, left // (N_KILLS - number)))
            n_amid += kill_amid(killed.start(), engine, wanted)
        killed.finish()
    assert n_amid >= N_KILLS // 2
    assert killed.found() == whole.found()
    assert n_asked_of_items(engine) <= n_whole + N_KILLS * N_SLOTS


@pytest.mark.timeout(600)
def test_a_killed_worker_is_replaced_and_loses_only_calls_in_flight(gateway: RunningServer, tmp_path: Path) -> None:
    with model() as (engine, url):
        whole = on_tune(gateway, tmp_path / "whole", url)
        whole.finish()
        n_whole = n_asked_of_items(engine)
        engine.calls.clear()
        killed = on_tune(gateway, tmp_path / "killed", url)
        run = killed.start()
        wait_for_calls(run, engine, n_whole // 3)
        (log,) = killed.directory.glob("results-*.jsonl")
        os.kill(int(log.stem.removeprefix("results-")), signal.SIGKILL)
        printed, told = run.communicate(timeout=240)
    assert run.returncode == 0, printed[-2000:] + told[-3000:]
    assert len(list(killed.directory.glob("results-*.jsonl"))) == 2
    assert killed.found() == whole.found()
    assert n_asked_of_items(engine) <= n_whole + N_SLOTS


@pytest.mark.timeout(600)
def test_a_search_ends_with_its_time_and_so_do_its_workers(gateway: RunningServer, tmp_path: Path) -> None:
    with model() as (engine, url):
        engine.spread_s = 1.0
        short = replace(on_tune(gateway, tmp_path / "short", url), config=config(budget=Budget(max_duration=20.0)))
        took_s, _ = short.finish()
        n_calls = engine.n_calls
    (log,) = short.directory.glob("results-*.jsonl")
    assert short.found()["ended_because"] == "the budget of time is used up"
    assert took_s < 60.0
    assert 50 < n_calls < 600
    wait_until_free([log], timeout_s=0.0)


@pytest.mark.timeout(900)
def test_ray_job_submit_optimises_on_a_real_model(gateway: RunningServer, tmp_path: Path) -> None:
    small = {"population": 4, "block_size": 5, "max_demonstrations": 2, "budget": Budget(max_calls=90)}
    wanted = config(target_model="smollm2-135m-instruct", proposers=(), **small)
    task = tmp_path / "task.yaml"
    task.write_text(wanted.model_dump_json())  # JSON is YAML
    out = tmp_path / "run"
    where = ("--out", str(out), "--config", str(gateway.config_path))
    done = submit(gateway, "evolve_prompts.py", str(task), *where, timeout_s=600.0)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"written: {out}" in done.stdout
    result = OptimizationResult.model_validate_json((out / RESULT).read_text())
    assert result.scores["search"] is not None
    (log,) = out.glob("results-*.jsonl")
    assert len(log.read_text().splitlines()) >= 4 * 5, "the first generation came through a worker of Tune"


def kill_amid(run: "subprocess.Popen[str]", engine: CountingEngine, n_calls: int) -> bool:
    """Kill the process after so many calls; whether some were in flight."""
    wait_for_calls(run, engine, n_calls)
    is_amid = engine.n_open > 0
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    return is_amid


def wait_for_calls(run: "subprocess.Popen[str]", engine: CountingEngine, n_calls: int) -> None:
    until_s = time.monotonic() + 120.0
    while n_asked_of_items(engine) < n_calls and time.monotonic() < until_s and run.poll() is None:
        time.sleep(0.002)  # watches another process
