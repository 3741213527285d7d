"""A running server whose only model is the fixed-reply application, reached as an upstream through the same proxy."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from cluster.environment import cluster_environment
from neuroforge.assets.store import AssetStore
from neuroforge.settings import load_settings
from tests.benchmarks.fixed_app import BARE_ROUTE, CHAT, FIXED_ROUTE
from tests.benchmarks.load import Target
from tests.server import RunningServer, free_port, serving

NO_LIMIT = 1_000_000_000
"""Limits are counted and never reached."""
BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Say what you always say."}]}
EMBEDDER = "potion-base-8m"
FOUND_TIMEOUT_S = 90.0


@contextmanager
def serving_fixed(home: Path, assets_home: Path) -> Iterator[RunningServer]:
    """Serve with keys, limits, audit and accounting on; the fixed and the bare application stand beside the gateway."""
    AssetStore(assets_home).ensure(EMBEDDER)
    port = free_port()
    upstream = {"base_url": f"http://127.0.0.1:{port}{FIXED_ROUTE}/v1", "model": "fixed"}
    settings = {
        "models": [{"id": "fixed", "engine": "openai_http", "upstream": upstream}],
        "gateway": {"port": port},
        "auth": {"require_keys": True, "requests_per_minute": NO_LIMIT, "tokens_per_minute": NO_LIMIT},
    }
    with serving(home, assets_home / "assets", settings, with_keys=True) as server:
        deploy_beside(server)
        _wait_answering(gateway_target(server))
        yield server


def _wait_answering(target: Target) -> None:
    """The gateway asks an upstream now and then whether it is there; RuntimeError when it does not find it in time."""
    deadline_s = time.monotonic() + FOUND_TIMEOUT_S
    while True:
        headers = {"authorization": f"Bearer {target.key}"}
        answer = requests.post(target.url, json=target.body, headers=headers, timeout=60)
        if answer.status_code == 200:
            return
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"the gateway answers {answer.status_code}: {answer.text}")
        time.sleep(0.5)


def deploy_beside(server: RunningServer) -> None:
    """Deploy from a process of its own: Ray reads the instance's settings from the environment at import."""
    settings = load_settings(server.config_path, {"NEUROFORGE_HOME": str(server.home)})
    environment = {**os.environ, **cluster_environment(settings, server.home / "ray-token")}
    command = [sys.executable, "-m", "tests.benchmarks.deploy_fixed", server.state["ray_address"], server.base_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise RuntimeError(f"the fixed-reply application was not deployed:\n{done.stderr[-3000:]}")


def gateway_target(server: RunningServer, **options: Any) -> Target:
    """The request through the gateway, with a key and `auto`."""
    return Target(server.base_url + CHAT, {**BODY, **options}, server.api_key or "")


def bare_target(server: RunningServer) -> Target:
    """The same body through the bare pair."""
    return Target(server.base_url + BARE_ROUTE + CHAT, BODY)


def fixed_target(server: RunningServer) -> Target:
    """The same body straight to the fixed-reply application: one hop."""
    return Target(server.base_url + FIXED_ROUTE + CHAT, BODY)
