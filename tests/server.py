"""A real `neuroforge serve` in a process of its own, on its own ports and home: what tests and benchmarks talk to."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.environment import side_ports
from neuroforge.client import Client

START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 60.0


@dataclass
class RunningServer:
    """Where it answers and with which keys."""

    base_url: str
    home: Path
    config_path: Path
    log_path: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    admin_key: str | None = None
    api_key: str | None = None

    @property
    def openai_url(self) -> str:
        """What OpenAI's clients want."""
        return f"{self.base_url}/v1"

    @property
    def state(self) -> dict[str, Any]:
        """What the server wrote of itself."""
        found: dict[str, Any] = json.loads((self.home / "run" / "server.json").read_text())
        return found

    def admin(self) -> Client:
        """A client that may do everything."""
        return Client(self.base_url, self.admin_key, timeout_s=120.0)

    def cli(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the `neuroforge` command against this server."""
        key = {"NEUROFORGE_API_KEY": self.admin_key} if self.admin_key else {}
        return run_cli(*words, environment={**self.environment, **key, **environment})


def run_cli(*words: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the `neuroforge` command with this environment and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", *words],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=STOP_TIMEOUT_S + 60,
        check=False,
    )


def free_port() -> int:
    """A port that is free together with those that the proxy takes beside it.

    Below the kernel's ephemeral ports: Ray's processes take many of those, perhaps this one, before the proxy starts.
    """
    while True:
        port = random.randrange(10_000, 28_000)
        if all(_is_free(one) for one in (port, *side_ports(port).values())):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


@contextmanager
def serving(
    home: Path,
    assets: Path,
    settings: Mapping[str, Any],
    *,
    with_keys: bool = False,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    command: str = "serve",
) -> Iterator[RunningServer]:
    """Start a server, wait until it is ready, and stop it at the end.

    Args:
        home: Its NEUROFORGE_HOME; made here.
        assets: Directory with assets already fetched, shared between servers.
        settings: The tree of neuroforge.yaml; ports are filled in where it names none.
        with_keys: Make an admin key and an inference key before the start.
        prefix: Words before the command, such as `unshare`.
        command: `serve` or `dev`.
    """
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "assets").exists():
        (home / "assets").symlink_to(assets)
    port = free_port()
    tree = {
        **settings,
        "gateway": {"port": port, **settings.get("gateway", {})},
        "ray": {"dashboard_port": free_port(), **settings.get("ray", {})},
    }
    config_path = home / "neuroforge.yaml"
    config_path.write_text(yaml.safe_dump(tree))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NEUROFORGE_", "RAY_"))}
    full_environment = {**inherited, "NEUROFORGE_HOME": str(home), **(environment or {})}
    keys = [_create_key(name, full_environment) for name in ("admin", "inference")] if with_keys else [None, None]
    log_path = home / "serve.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "cluster.cli", command, "--config", str(config_path)],
            env=full_environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{tree['gateway']['port']}"
    server = RunningServer(url, home, config_path, log_path, process, full_environment, keys[0], keys[1])
    try:
        _wait_announced(server)
        yield server
    finally:
        _stop(process)


def _create_key(scope: str, environment: Mapping[str, str]) -> str:
    scopes = ["--scope", scope] + (["--scope", "inference"] if scope == "admin" else [])
    made = run_cli("keys", "create", "--name", f"test-{scope}", *scopes, "--json", environment=environment)
    assert made.returncode == 0, made.stderr
    secret: str = json.loads(made.stdout)["secret"]
    return secret


def _wait_announced(server: RunningServer) -> None:
    """The server writes its description when it is ready."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not (server.home / "run" / "server.json").exists():
        if server.process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"the server did not start:\n{server.log_path.read_text()[-4000:]}")
        time.sleep(0.2)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
