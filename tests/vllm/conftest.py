"""One server with one vLLM model, on SmolLM2 converted to safetensors. Environment and checkpoint outlive the run."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.vllm_env import create_environment
from neuroforge.client import Client
from tests.cluster.fleet import status_of, until
from tests.server import RunningServer, serving

MODEL = "smol-vllm"
CONTEXT_LENGTH = 1024
PARALLEL = 4
MAX_QUEUE = 2
START_TIMEOUT_S = 600.0
"""40 s on a quiet machine, 4 minutes on a busy one."""


@pytest.fixture(scope="session")
def checkpoint(shared_home: Path, smollm2_path: Path) -> Path:
    """SmolLM2 as a checkpoint directory, converted once by the command that users have."""
    create_environment(shared_home, is_gpu=False)
    directory = shared_home / "converted" / "smollm2-135m-instruct"
    if not (directory / "config.json").exists():
        words = ["-m", "cluster.vllm_env", "convert", str(smollm2_path), str(directory), "--home", str(shared_home)]
        subprocess.run([sys.executable, *words], check=True)
    return directory


@pytest.fixture(scope="session")
def vllm_server(
    tmp_path_factory: pytest.TempPathFactory, shared_home: Path, checkpoint: Path, potion_path: Path
) -> Iterator[RunningServer]:
    """Running, the model ready."""
    home = tmp_path_factory.mktemp("vllm")
    (home / "envs").symlink_to(shared_home / "envs")
    model = {
        "id": MODEL,
        "engine": "vllm",
        "path": str(checkpoint),
        "context_length": CONTEXT_LENGTH,
        "parallel": PARALLEL,
        "max_queue": MAX_QUEUE,
        "threads": 1,
        "preload": False,
    }
    with serving(home, shared_home / "assets", {"models": [model]}, with_keys=True) as server:
        wait_loaded(server)
        yield server


def wait_loaded(server: RunningServer) -> None:
    """Load the model and wait until it answers."""
    with server.admin() as client:
        client.load(MODEL)

        def is_ready() -> bool:
            status = status_of(client, MODEL)
            assert status.state != "failed", status.error
            return status.state == "ready"

        until(is_ready, f"{MODEL} is ready", START_TIMEOUT_S)


@pytest.fixture
def client(vllm_server: RunningServer) -> Iterator[Client]:
    with Client(vllm_server.base_url, vllm_server.api_key, timeout_s=120.0) as plain:
        yield plain
