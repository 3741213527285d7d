"""What Serve says of an application -> the model's state."""

import pytest
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, DeploymentStatus, DeploymentStatusOverview

from cluster.applications import observed
from neuroforge.contracts.models import ModelState


def overview(status: str, n_running: int, message: str = "", deployment_message: str = "") -> ApplicationStatusOverview:
    deployment = DeploymentStatusOverview(
        status=DeploymentStatus.HEALTHY,
        status_trigger="CONFIG_UPDATE_COMPLETED",
        replica_states={"RUNNING": n_running, "STARTING": 1},
        message=deployment_message,
    )
    return ApplicationStatusOverview(ApplicationStatus(status), message, 0.0, {"model": deployment})


@pytest.mark.parametrize(
    ("status", "n_running", "state"),
    [
        ("DEPLOYING", 0, ModelState.LOADING),
        ("DEPLOYING", 1, ModelState.READY),
        ("RUNNING", 1, ModelState.READY),
        ("RUNNING", 0, ModelState.LOADING),
        ("UNHEALTHY", 1, ModelState.READY),
        ("UNHEALTHY", 0, ModelState.LOADING),
        ("DEPLOY_FAILED", 0, ModelState.FAILED),
        ("DELETING", 1, ModelState.UNLOADING),
    ],
)
def test_a_model_is_ready_as_long_as_one_replica_answers(status: str, n_running: int, state: ModelState) -> None:
    assert observed(overview(status, n_running)).state == state


def test_the_message_is_the_last_line_of_serves_trace() -> None:
    seen = observed(overview("DEPLOY_FAILED", 0, "Traceback:\n  File x\nRuntimeError: no such file\n"))
    assert seen.message == "RuntimeError: no such file"


def test_the_replicas_own_error_comes_before_serves_summary() -> None:
    told = "The deployment failed to start 2 times in a row. Error:\nTraceback:\nRuntimeError: no such option"
    seen = observed(overview("DEPLOY_FAILED", 0, "Failed to update the deployments ['model'].", told))
    assert seen.message == "RuntimeError: no such option"


def test_a_silent_serve_gives_no_message() -> None:
    assert observed(overview("RUNNING", 1)).message is None
