"""Ray as users know it: Tune and Data find CPUs beside the fleet, `ray job submit` works, tokens are demanded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from neuroforge.router.embedder import load_embedder
from neuroforge.router.features import extract_texts
from neuroforge.router.fit.artifact import load_router
from tests.cluster.fleet import load, small, unload
from tests.server import RunningServer
from tests.unit.router.fit.worlds import make_rows

REPOSITORY = Path(__file__).parents[2]
DRIVER = """
import ray
from ray import tune
ray.init(address={address!r}, log_to_driver=False)
results = tune.Tuner(lambda config: {{"score": config["x"]}}, param_space={{"x": tune.grid_search([1, 2])}},
    tune_config=tune.TuneConfig(metric="score", mode="max"), run_config=tune.RunConfig(storage_path={storage!r})).fit()
total = ray.data.range(100).map(lambda row: {{"id": row["id"] * 2}}).sum("id")
print("tune", results.get_best_result().metrics["score"], "data", total)
"""


def ray_environment(server: RunningServer) -> dict[str, str]:
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(server.home / "ray-token")}
    return {**os.environ, **token, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}


def test_a_tune_trial_and_a_data_task_get_cpus_beside_the_default_fleet(gateway: RunningServer, tmp_path: Path) -> None:
    script = DRIVER.format(address=gateway.state["ray_address"], storage=str(tmp_path))
    with gateway.admin() as client:
        load(client, small("jobs-neighbour"))  # two models, as the default fleet has, with its share of CPUs
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=ray_environment(gateway),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        unload(client, "jobs-neighbour")
    assert "tune 2 data 9900" in done.stdout, done.stderr[-3000:]


def submit(
    server: RunningServer, job: str, *words: str, timeout_s: float = 240.0
) -> "subprocess.CompletedProcess[str]":
    """Run a job of the repository through `ray job submit` and wait for its end."""
    told = {"NEUROFORGE_URL": server.base_url, "NEUROFORGE_API_KEY": server.admin_key}
    variables = json.dumps({"env_vars": {**told, "NEUROFORGE_HOME": str(server.home)}})
    return subprocess.run(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit"),
            *("--address", server.state["dashboard_url"], "--runtime-env-json", variables, "--"),
            *("python", str(REPOSITORY / "jobs" / job), *words),
        ],
        env=ray_environment(server),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def test_ray_job_submit_measures_the_fleet(gateway: RunningServer, tmp_path: Path) -> None:
    out = tmp_path / "fleet.parquet"
    models = ("--models", "smollm2-135m-instruct")
    done = submit(gateway, "bench_fleet.py", *models, "--streams", "1", "2", "--max-tokens", "8", "--out", str(out))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = pq.read_table(out).to_pylist()
    assert [(row["model_id"], row["n_streams"], row["error"]) for row in rows] == [
        ("smollm2-135m-instruct", 1, None),
        ("smollm2-135m-instruct", 2, None),
    ]
    assert all(row["tokens_per_s"] > 0 and row["ttft_p50_s"] > 0 for row in rows)


def test_ray_job_submit_fits_a_router_that_chooses_by_the_outcomes(
    gateway: RunningServer, tmp_path: Path, potion_path: Path
) -> None:
    train, test = (write_outcomes(tmp_path / f"{name}.jsonl", seed) for name, seed in (("train", 0), ("test", 1)))
    out = tmp_path / "router"
    files = ("--outcomes", str(train), "--test", str(test), "--out", str(out))
    done = submit(gateway, "train_router.py", *files, "--config", str(gateway.config_path))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"n_outcomes": 120' in done.stdout
    embedder = load_embedder(potion_path)
    router = load_router(out, embedder.sha256)
    quality = router.predict(extract_texts(["loop bug the array of", "king of the river city"], embedder)).quality
    assert [router.model_ids[model] for model in quality.argmax(axis=1)] == ["coder", "sage"]


def test_a_job_whose_outcomes_are_broken_fails_and_names_the_row(gateway: RunningServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"query": "q", "scores": {"a": 7}}\n')
    done = submit(gateway, "train_router.py", "--outcomes", str(broken), "--out", str(tmp_path / "router"))
    assert done.returncode != 0
    assert "row 1" in done.stdout + done.stderr
    assert not (tmp_path / "router").exists()


def write_outcomes(path: Path, seed: int) -> Path:
    rows = [{"query": row.query, "scores": row.scores, "task": row.task} for row in make_rows(120, seed)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/serve/applications/"])
def test_the_dashboard_refuses_who_has_no_token(gateway: RunningServer, path: str) -> None:
    import requests

    answer = requests.get(gateway.state["dashboard_url"] + path, timeout=10)
    assert answer.status_code in {401, 403}
