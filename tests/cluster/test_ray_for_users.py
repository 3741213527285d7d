"""Ray as users know it: Tune and Data find CPUs beside the fleet, `ray job submit` works, tokens are demanded."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cluster.fleet import load, small, unload
from tests.server import RunningServer

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


def test_ray_job_submit_measures_the_fleet(gateway: RunningServer, tmp_path: Path) -> None:
    out = tmp_path / "fleet.parquet"
    environment = ray_environment(gateway)
    variables = (
        f'{{"env_vars": {{"NEUROFORGE_URL": "{gateway.base_url}", "NEUROFORGE_API_KEY": "{gateway.admin_key}"}}}}'
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit"),
            *("--address", gateway.state["dashboard_url"], "--runtime-env-json", variables, "--"),
            *("python", str(REPOSITORY / "jobs" / "bench_fleet.py")),
            *("--models", "smollm2-135m-instruct", "--streams", "1", "2", "--max-tokens", "8", "--out", str(out)),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = pq.read_table(out).to_pylist()
    assert [(row["model_id"], row["n_streams"], row["error"]) for row in rows] == [
        ("smollm2-135m-instruct", 1, None),
        ("smollm2-135m-instruct", 2, None),
    ]
    assert all(row["tokens_per_s"] > 0 and row["ttft_p50_s"] > 0 for row in rows)


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/serve/applications/"])
def test_the_dashboard_refuses_who_has_no_token(gateway: RunningServer, path: str) -> None:
    import requests

    answer = requests.get(gateway.state["dashboard_url"] + path, timeout=10)
    assert answer.status_code in {401, 403}
