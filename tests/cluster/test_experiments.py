"""Experiments on a real cluster: lost processes, Ctrl-C, jobs, budgets, keys, a desk that crashes."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from neuroforge.client import Client
from neuroforge.contracts.experiments import Budget, ExperimentStatus
from neuroforge.errors import EngineUnavailable
from neuroforge.experiments import Experiment, load_prompt_dataset
from tests.cluster.fleet import title_of, until
from tests.cluster.test_ray_for_users import REPOSITORY, ray_environment
from tests.server import RunningServer

MODEL = "smollm2-135m-instruct"
YAML = """
name: {name}
models: [{model}]
datasets: [{{name: sums.jsonl}}]
prompts: {{plain: "{{{{ query }}}}", polite: "Please: {{{{ query }}}}"}}
decodings: {{short: {{max_tokens: 8}}}}
use_cache: false
"""


def questions(n: int) -> list[dict[str, str]]:
    return [{"question": f"What is {one} + {one}?", "reference": str(2 * one), "scorer": "numeric"} for one in range(n)]


def written(folder: Path, n: int, name: str = "sums") -> Path:
    (folder / "sums.jsonl").write_text("\n".join(json.dumps(one) for one in questions(n)))
    path = folder / "exp.yaml"
    path.write_text(YAML.format(name=name, model=MODEL))
    return path


def experiment(n: int, **options: object) -> Experiment:
    short = [{"name": "short", "max_tokens": 8}]
    data = load_prompt_dataset(questions(n), name="sums")
    return Experiment("sums", models=[MODEL], prompts=data, decodings=short, use_cache=False, **options)


def n_done(client: Client, experiment_id: str) -> int:
    """On a busy machine the desk may not answer in time: then nobody can tell yet."""
    try:
        progress = client.experiments.status(experiment_id).progress
    except EngineUnavailable:
        return 0
    return 0 if progress is None else progress.n_done


def take_interrupts() -> None:
    """In a child: whoever runs the tests in the background has its shell ignore SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ray_process(server: RunningServer, title: str) -> psutil.Process:
    children = psutil.Process(int(server.state["pid"])).children(recursive=True)
    return next(one for one in children if title in title_of(one))


def check_whole(client: Client, status: ExperimentStatus, n_cells: int) -> None:
    assert status.state == "done", status.error
    cells = client.experiments.cells(status.id)
    assert cells.num_rows == n_cells
    assert max(Counter(cells["cell_id"].to_pylist()).values()) == 1


def test_a_lost_process_interrupts_its_experiment_which_then_resumes(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        started = client.experiments.start(experiment(60))
        until(lambda: n_done(client, started.id) >= 5, "some cells are done")
        ray_process(gateway, "ray::WorkActor").kill()
        lost = client.experiments.wait(started.id)
        client.experiments.resume(started.id)
        check_whole(client, client.experiments.wait(started.id), 60)
    assert (lost.state, f"experiment resume {started.id}" in str(lost.error)) == ("interrupted", True)


def test_a_budget_that_ends_leaves_cells_that_a_resume_asks_and_a_rescore_asks_none(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        outcome = client.experiments.run(experiment(12, budget=Budget(max_calls=8)))
        client.experiments.resume(outcome.id)
        check_whole(client, client.experiments.wait(outcome.id), 12)
        before = client.experiments.cells(outcome.id)["at_s"].to_pylist()
        client.experiments.rescore(outcome.id)
        check_whole(client, client.experiments.wait(outcome.id), 12)
        assert client.experiments.cells(outcome.id)["at_s"].to_pylist() == before
    assert (outcome.status.state, "max_calls" in str(outcome.status.error)) == ("interrupted", True)


def test_ctrl_c_stops_the_command_and_the_experiment_resumably(gateway: RunningServer, tmp_path: Path) -> None:
    words = (sys.executable, "-m", "cluster.cli", "experiment", "run", str(written(tmp_path, 40)), "--yes")
    environment = {**gateway.environment, "NEUROFORGE_API_KEY": str(gateway.admin_key)}
    with gateway.admin() as client:
        before = {one.id for one in client.experiments.list()}
        command = subprocess.Popen(
            words,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=take_interrupts,
        )
        until(lambda: bool({one.id for one in client.experiments.list()} - before), "it is queued")
        (started,) = {one.id for one in client.experiments.list()} - before
        until(lambda: n_done(client, started) >= 3, "some cells are done")
        command.send_signal(signal.SIGINT)
        _, told = command.communicate(timeout=60)
        assert (command.returncode, f"experiment resume {started}" in told) == (3, True), told
        assert client.experiments.status(started).state == "cancelled"
        client.experiments.resume(started)
        check_whole(client, client.experiments.wait(started), 80)


def test_a_job_runs_an_experiment_and_its_gate_is_the_exit_status(gateway: RunningServer, tmp_path: Path) -> None:
    path = written(tmp_path, 6, "job")
    variables = {"NEUROFORGE_URL": gateway.base_url, "NEUROFORGE_API_KEY": str(gateway.admin_key)}
    job = (str(REPOSITORY / "jobs" / "run_experiment.py"), str(path), "--report", str(tmp_path / "report.md"))
    gate = ("--gate", f"{MODEL}|plain >= {MODEL}|polite - 1")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "ray.scripts.scripts",
                "job",
                "submit",
                "--address",
                gateway.state["dashboard_url"],
            ),
            *("--runtime-env-json", json.dumps({"env_vars": variables}), "--", "python", *job, *gate),
        ],
        env=ray_environment(gateway),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "12 cells: 12 calls" in done.stdout
    assert (tmp_path / "report.md").read_text().startswith("#")


def test_the_key_of_experiments_is_made_once_and_cannot_administer(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        client.experiments.estimate(experiment(1))
        client.experiments.estimate(experiment(1))
        own = [one for one in client.list_keys() if one.spec.name == "experiments of this server"]
    secret = gateway.home / "experiments-key"
    assert [one.spec.scopes for one in own] == [frozenset({"inference"})]
    assert secret.read_text().startswith(f"nf-{own[0].id}-")
    assert secret.stat().st_mode & 0o077 == 0


def test_a_desk_that_crashes_is_back_and_watches_on_what_runs(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        started = client.experiments.start(experiment(40))
        until(lambda: n_done(client, started.id) >= 3, "some cells are done")
        os.kill(ray_process(gateway, "ray::ExperimentsActor").pid, signal.SIGKILL)
        check_whole(client, client.experiments.wait(started.id), 40)


def test_a_start_whose_desk_dies_meanwhile_starts_one_experiment(gateway: RunningServer) -> None:
    root = gateway.home / "experiments"
    with gateway.admin() as client, ThreadPoolExecutor(1) as pool:
        before = {one.id for one in client.experiments.list()}
        starting = pool.submit(client.experiments.start, experiment(4))
        until(lambda: bool({one.name for one in root.glob("exp-*")} - before), "it is being checked")
        os.kill(ray_process(gateway, "ray::ExperimentsActor").pid, signal.SIGKILL)
        started = starting.result(120)
        check_whole(client, client.experiments.wait(started.id), 4)
        assert {one.id for one in client.experiments.list()} - before == {started.id}
        assert {one.name for one in root.glob("exp-*")} - before == {started.id}
