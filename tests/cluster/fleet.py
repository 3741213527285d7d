"""What cluster tests do with a running fleet."""

import time
from collections.abc import Callable

import psutil

from neuroforge.client import Client
from neuroforge.contracts.models import ModelSpec, ModelState, ModelStatus
from tests.server import RunningServer

WAIT_S = 120.0
ASSET = "smollm2-135m-instruct"


def until(is_true: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    """Poll an observable state of another process; there is no event to wait on."""
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s, f"not in {timeout_s} s: {what}"
        time.sleep(0.2)


def status_of(client: Client, model_id: str) -> ModelStatus:
    return next(one for one in client.models() if one.id == model_id)


def small(model_id: str, **changes: object) -> ModelSpec:
    tree = {"id": model_id, "asset": ASSET, "context_length": 512, "parallel": 1, "threads": 1, "preload": False}
    return ModelSpec.model_validate({**tree, **changes})


def load(client: Client, spec: ModelSpec) -> None:
    client.load(spec.id, spec)
    until(lambda: status_of(client, spec.id).state == ModelState.READY, f"{spec.id} is ready")


def unload(client: Client, model_id: str) -> None:
    client.unload(model_id)
    until(lambda: status_of(client, model_id).state == ModelState.UNLOADED, f"{model_id} is unloaded")


def replica_processes(server: RunningServer, model_id: str) -> list[psutil.Process]:
    title = f"ServeReplica:model-{model_id}:"
    everything = psutil.Process(int(server.state["pid"])).children(recursive=True)
    return [one for one in everything if title in title_of(one)]


def title_of(process: psutil.Process) -> str:
    """Its name and command line; nothing of one that has just ended."""
    try:
        return " ".join((process.name(), *process.cmdline()))
    except psutil.Error:
        return ""
