"""A killed replica: what had not started is answered by its successor, streams end with an error, the fleet heals."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from neuroforge.contracts.models import ModelState
from neuroforge.errors import StreamInterrupted
from tests.cluster.fleet import load, replica_processes, small, status_of, title_of, unload, until
from tests.server import RunningServer

N_REQUESTS = 8


def kill_replica(server: RunningServer, model_id: str) -> None:
    found = replica_processes(server, model_id)
    assert len(found) == 1
    found[0].kill()


def test_waiting_requests_are_answered_by_the_next_replica_and_the_stream_ends_with_an_error(
    gateway: RunningServer,
) -> None:
    model = "failure-a"
    with gateway.admin() as client:
        load(client, small(model, parallel=1, context_length=8192))
        # A minute at the least: the end-of-text token is forbidden, else the slot is free before all are seen to wait.
        stream = client.stream(
            "Tell a long story.", model=model, max_tokens=8000, logit_bias={"0": -100, "2": -100}, temperature=1.0
        )
        next(stream)  # the only slot is taken now, so every other request waits
        with ThreadPoolExecutor(N_REQUESTS) as pool:
            answers = [
                pool.submit(client.chat, f"Say {number}.", model=model, max_tokens=4) for number in range(N_REQUESTS)
            ]
            until(lambda: _n_queued(gateway, model) == N_REQUESTS, "all wait for the slot", 30)
            kill_replica(gateway, model)
            with pytest.raises(StreamInterrupted):
                list(stream)
            finished = [answer.result(timeout=120) for answer in answers]
        assert len(finished) == N_REQUESTS
        assert all(body["model"] == model and body["usage"]["completion_tokens"] > 0 for body in finished)
        until(lambda: status_of(client, model).state == ModelState.READY, "healed")
        unload(client, model)


def _n_queued(server: RunningServer, model_id: str) -> int:
    with server.admin() as client:
        stats = status_of(client, model_id).stats
        return 0 if stats is None else stats.queued


def test_a_killed_gateway_replica_is_replaced(gateway: RunningServer) -> None:
    everything = psutil.Process(int(gateway.state["pid"])).children(recursive=True)
    victims = [one for one in everything if "ServeReplica:neuroforge:gateway" in title_of(one)]
    assert len(victims) == 1
    victims[0].kill()
    with gateway.admin() as client:
        client.wait_ready(90)
        assert client.chat("Say hello.", model="auto", max_tokens=2)["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("actor", ["FleetActor", "StateActor"])
def test_a_killed_control_actor_comes_back_with_its_state(gateway: RunningServer, actor: str) -> None:
    with gateway.admin() as client:
        before = {one.id for one in client.models()}
        n_keys = len(client.list_keys())
        everything = psutil.Process(int(gateway.state["pid"])).children(recursive=True)
        victims = [one for one in everything if f"::{actor}" in title_of(one)]
        assert len(victims) == 1
        victims[0].kill()
        served = threading.Event()

        def ask() -> None:
            client.chat("Say hello.", model="smollm2-135m-instruct", max_tokens=2)
            served.set()

        threading.Thread(target=ask).start()
        assert served.wait(60), "requests are answered while the actor is away"
        until(lambda: _fleet_or_none(gateway) == before, "the same fleet", 60)
        assert len(client.list_keys()) == n_keys
        assert client.verify_audit().is_intact


def _fleet_or_none(server: RunningServer) -> set[str] | None:
    from neuroforge.errors import NeuroForgeError

    with server.admin() as client:
        try:
            models = client.models()
        except NeuroForgeError:
            return None  # the controller is restarting
        return {one.id for one in models if one.state != ModelState.LOADING}
