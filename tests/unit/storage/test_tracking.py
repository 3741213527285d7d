from pathlib import Path

import pytest
from mlflow import MlflowClient

from neuroforge.contracts.experiment_desk import TrackedRun
from neuroforge.errors import StorageError
from neuroforge.storage.tracking import MlflowTracker


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for the module: MLflow takes seconds to make one."""
    return tmp_path_factory.mktemp("tracking")


def tracked(home: Path, name: str, **fields: object) -> TrackedRun:
    report = home / "report.md"
    report.write_text("# Report")
    return TrackedRun.model_validate({"experiment": "study", "run_name": name, "artifacts": [str(report)], **fields})


def test_a_run_is_kept_with_parameters_metrics_and_report(home: Path) -> None:
    run = tracked(
        home, "exp-1", parameters={"models": "a, b"}, metrics={"quality/a|plain": 0.5}, tags={"state": "done"}
    )
    address = MlflowTracker(None, home).track(run)
    kept = MlflowClient(f"sqlite:///{home / 'mlflow.db'}").get_run(address.rpartition("/")[2])
    assert kept.data.params == {"models": "a, b"}
    assert kept.data.metrics == {"quality/a_plain": 0.5}
    assert (kept.info.status, kept.data.tags["state"]) == ("FINISHED", "done")
    artifacts = list((home / "mlflow-artifacts").rglob("report.md"))
    assert [one.read_text() for one in artifacts] == ["# Report"]


def test_runs_of_one_name_share_an_experiment_and_may_have_many_parameters(home: Path) -> None:
    many = {f"p{index}": "x" * 7000 for index in range(230)}
    addresses = [MlflowTracker(None, home).track(tracked(home, name, parameters=many)) for name in ("exp-2", "exp-3")]
    assert len({one.partition("/runs/")[0] for one in addresses}) == 1
    kept = MlflowClient(f"sqlite:///{home / 'mlflow.db'}").get_run(addresses[1].rpartition("/")[2])
    assert (len(kept.data.params), len(kept.data.params["p0"])) == (230, 6000)


def test_an_artifact_that_is_missing_fails_the_run_and_says_so(home: Path) -> None:
    run = TrackedRun(experiment="broken", run_name="exp-4", artifacts=(str(home / "gone.html"),))
    with pytest.raises(StorageError, match="did not take the run"):
        MlflowTracker(None, home).track(run)
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    found = client.get_experiment_by_name("broken")
    assert [one.info.status for one in client.search_runs([found.experiment_id])] == ["FAILED"]


def test_a_server_that_is_down_is_an_error_without_its_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StorageError, match=r"MLflow at 127\.0\.0\.1:9") as caught:
        MlflowTracker("http://user:secret@127.0.0.1:9", home).track(tracked(home, "exp-5"))
    assert "secret" not in str(caught.value)
