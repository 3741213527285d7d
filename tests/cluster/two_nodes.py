"""Run by test_two_nodes.py in a process of its own: a cluster of two nodes, one of which goes away under load.

Writes what happened to `seen.json` in its home: Ray prints to the same terminal.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cluster import environment
from cluster.secrets import read_or_create_token
from neuroforge.client import Client
from neuroforge.errors import NeuroForgeError
from neuroforge.settings import settings_from_tree

N_CLIENTS = 4
MODEL = "spread"
SPEC = {
    "id": MODEL,
    "asset": "smollm2-135m-instruct",
    "context_length": 512,
    "parallel": 2,
    "threads": 1,
    "cpus": 0.6,  # two do not fit on one node of one CPU beside the gateway
    "replicas": {"min": 2, "max": 2},
}


def main(home: Path, port: int) -> None:
    home.mkdir(parents=True, exist_ok=True)
    token_path = home / "ray-token"
    read_or_create_token(token_path)
    tree = {"models": [SPEC], "gateway": {"port": port}, "storage": {"home": str(home)}, "ray": {"address": "auto"}}
    settings = settings_from_tree(tree, "two_nodes")
    environment.prepare_proxy(home)
    environment.apply_environment(environment.cluster_environment(settings, token_path))

    from ray.cluster_utils import Cluster

    from cluster.head import Head

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    worker = cluster.add_node(num_cpus=1)
    head = Head(settings_from_tree({**tree, "ray": {"address": cluster.address}}, "two_nodes"))
    client = Client(f"http://127.0.0.1:{port}")
    try:
        head.start()
        head.deploy()
        head.wait_ready(240, should_stop=lambda: False)
        wait_replicas(client, 2)
        load = Load(client)
        load.start()
        load.wait_answered(N_CLIENTS)
        cluster.remove_node(worker, allow_graceful=False)
        load.wait_answered(load.n_ok + 4 * N_CLIENTS)
        load.stop()
        wait_replicas(client, 1)  # Serve notices the loss a little later than the callers, who were served on
        cluster.add_node(num_cpus=1)
        wait_replicas(client, 2)
        seen = {"n_ok": load.n_ok, "errors": load.errors, "healed": True}
        (home / "seen.json").write_text(json.dumps(seen))
    finally:
        head.stop(drain_s=5, should_hurry=lambda: False)
        cluster.shutdown()


def replicas(client: Client) -> int:
    return next(one.n_replicas for one in client.models() if one.id == MODEL)


def wait_replicas(client: Client, n_wanted: int) -> None:
    deadline_s = time.monotonic() + 180
    while replicas(client) != n_wanted:
        assert time.monotonic() < deadline_s, f"never {n_wanted} replicas: {client.models()}"
        time.sleep(0.5)  # polls another process


class Load:
    """Clients that ask one short question after the other."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._is_over = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._ask) for _ in range(N_CLIENTS)]
        self.n_ok = 0
        self.errors: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_answered(self, n_wanted: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.n_ok >= n_wanted, timeout=180)

    def _ask(self) -> None:
        while not self._is_over.is_set():
            try:
                self._client.chat("Say hello.", model=MODEL, max_tokens=8)
            except NeuroForgeError as error:
                self.errors.append(f"{error.code}: {error.message}")
                continue
            with self._changed:
                self.n_ok += 1
                self._changed.notify_all()


if __name__ == "__main__":
    arguments: list[Any] = sys.argv[1:]
    main(Path(arguments[0]), int(arguments[1]))
