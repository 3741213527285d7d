"""Load, unload, scale, idle: through the API and the CLI, on a real cluster."""

import json

import psutil
import pytest

from neuroforge.contracts.models import ModelSpec, ModelState, ReplicaRange
from neuroforge.errors import ConfigError, EngineUnavailable, ModelNotFound, NeuroForgeError, OutOfMemory
from tests.cluster.fleet import ASSET, load, replica_processes, small, status_of, unload, until
from tests.server import RunningServer

pytestmark = pytest.mark.usefixtures("long_stream")  # what is loaded and unloaded here must not cut it


def memory_of_tree_bytes(pid: int) -> int:
    """Unique memory of the server's process and all below it."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total


def test_unloading_gives_the_memory_back(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        pid = int(gateway.state["pid"])
        load(client, small("lifecycle-a"))
        client.chat("Say hello.", model="lifecycle-a", max_tokens=4)
        until(lambda: status_of(client, "lifecycle-a").stats is not None, "statistics")
        loaded = memory_of_tree_bytes(pid)
        stats = status_of(client, "lifecycle-a").stats
        unload(client, "lifecycle-a")
        assert stats is not None
        assert stats.resident_bytes is not None
        until(lambda: loaded - memory_of_tree_bytes(pid) > 0.8 * 98e6, "the weights' memory is given back", 30)


def test_a_request_for_an_unloaded_model_loads_it(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        load(client, small("lifecycle-b"))
        unload(client, "lifecycle-b")
        body = client.chat("Say hello.", model="lifecycle-b", max_tokens=4)
        assert body["choices"][0]["message"]["content"]
        unload(client, "lifecycle-b")


def test_a_model_that_may_not_load_on_demand_is_a_503(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        load(client, small("lifecycle-c", load_on_demand=False))
        unload(client, "lifecycle-c")
        with pytest.raises(EngineUnavailable, match="lifecycle-c"):
            client.chat("Say hello.", model="lifecycle-c", max_tokens=4)


def test_an_idle_model_unloads_after_keep_alive(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        load(client, small("lifecycle-d", keep_alive=3.0))
        until(lambda: status_of(client, "lifecycle-d").state == ModelState.UNLOADED, "idle unload")


def test_scaling_to_two_replicas_keeps_the_first(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        load(client, small("lifecycle-e"))
        first = {one.pid for one in replica_processes(gateway, "lifecycle-e")}
        client.scale("lifecycle-e", ReplicaRange(min=2, max=2))
        until(lambda: status_of(client, "lifecycle-e").n_replicas == 2, "two replicas")
        assert first < {one.pid for one in replica_processes(gateway, "lifecycle-e")}
        client.scale("lifecycle-e", ReplicaRange(min=1, max=1))
        until(lambda: status_of(client, "lifecycle-e").n_replicas == 1, "one replica")
        unload(client, "lifecycle-e")


def test_a_model_that_does_not_fit_is_refused_with_the_context_that_would(gateway: RunningServer) -> None:
    with gateway.admin() as client, pytest.raises(OutOfMemory, match="context") as caught:
        client.load("lifecycle-f", small("lifecycle-f", context_length=4_000_000, parallel=64))
    assert caught.value.http_status == 507


def test_a_missing_file_is_refused_before_anything_starts(gateway: RunningServer) -> None:
    with gateway.admin() as client, pytest.raises(ConfigError, match="does not exist"):
        client.load("lifecycle-g", ModelSpec(id="lifecycle-g", path="/nowhere/model.gguf"))


def test_a_file_that_is_no_model_is_refused(gateway: RunningServer) -> None:
    broken = gateway.home / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    with gateway.admin() as client, pytest.raises(NeuroForgeError, match=r"broken\.gguf"):
        client.load("lifecycle-h", ModelSpec(id="lifecycle-h", path=str(broken)))


def test_unloading_an_unknown_model_names_those_that_exist(gateway: RunningServer) -> None:
    with gateway.admin() as client, pytest.raises(ModelNotFound, match=ASSET):
        client.unload("no-such-model")


def test_the_command_line_shows_the_fleet(gateway: RunningServer) -> None:
    shown = gateway.cli("models", "ps", "--json")
    assert shown.returncode == 0, shown.stderr
    models = json.loads(shown.stdout)
    assert ASSET in str(models)
