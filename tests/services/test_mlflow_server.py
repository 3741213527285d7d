"""ExperimentTracker and PromptHistory on a real MLflow server by URL."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from neuroforge.contracts.experiment_desk import TrackedRun
from neuroforge.contracts.prompts import PromptMessage, PromptRelease
from neuroforge.storage.prompt_history import MlflowPrompts
from neuroforge.storage.tracking import MlflowTracker
from tests.server import free_port

pytestmark = pytest.mark.services
START_TIMEOUT_S = 120.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    words = (
        "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}",
        "--artifacts-destination",
        str(folder / "files"),
    )
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
                *words,
            ],
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(health: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            urllib.request.urlopen(health, timeout=5)
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise RuntimeError(f"MLflow did not start:\n{log.read_text()[-3000:]}")


def test_a_run_and_its_report_are_on_the_server(url: str, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("# Report")
    run = TrackedRun(experiment="study", run_name="exp-1", metrics={"quality/a": 0.5}, artifacts=(str(report),))
    address = MlflowTracker(url, tmp_path).track(run)
    client, run_id = MlflowClient(url), address.rpartition("/")[2]
    fetched = Path(client.download_artifacts(run_id, "report.md", str(tmp_path / ".")))
    assert address.startswith(f"{url}#/experiments/")
    assert client.get_run(run_id).data.metrics == {"quality/a": 0.5}
    assert fetched.read_text() == "# Report"
    assert not (tmp_path / "mlflow.db").exists()


def test_a_prompt_and_its_alias_are_on_the_server(url: str, tmp_path: Path) -> None:
    message = PromptMessage(role="user", content="Answer: {{ query }}")
    release = PromptRelease(name="sense", messages=(message,), variables=("query",), reason="why")
    history = MlflowPrompts(url, tmp_path)
    first, second = history.record(release), history.record(release)
    assert history.move_alias("sense", "production", first) is None
    assert history.move_alias("sense", "production", second) == first
    kept = MlflowClient(url, url).load_prompt("prompts:/sense@production")
    assert (kept.version, kept.format(query="why?")) == (2, [{"role": "user", "content": "Answer: why?"}])
    history.move_alias("sense", "production", first)
    history.forget(second)
    assert [one.version for one in MlflowClient(url, url).search_prompt_versions("sense")] == [1]
    assert not (tmp_path / "mlflow.db").exists()
