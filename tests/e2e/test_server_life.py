"""What a person does with the command: start, change the file, start twice by mistake, lose it to SIGKILL, stop."""

import os
import signal
from pathlib import Path

import psutil
import pytest
import yaml

from cluster.environment import haproxy_dir, side_ports
from neuroforge.contracts.models import ModelState
from tests.cluster.fleet import status_of, until
from tests.server import RunningServer, free_port, run_cli, serving

ENTRY = {"id": "first", "asset": "smollm2-135m-instruct", "context_length": 512, "parallel": 1, "preload": False}


def proxies_of(home: Path) -> list[psutil.Process]:
    wanted = str(haproxy_dir(home))
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(word.startswith(wanted) for word in process.info["cmdline"] or []):
            found.append(process)
    return found


def open_ports(server: RunningServer) -> set[int]:
    port = int(server.base_url.rsplit(":", 1)[1])
    listening = {one.laddr.port for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    return listening & {port, *side_ports(port).values()}


def test_dev_applies_the_changed_file_and_stop_cleans_up_after_a_kill(
    tmp_path: Path, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> None:
    home = tmp_path / "home"
    with serving(home, shared_home / "assets", {"models": [ENTRY]}, command="dev") as server:
        with server.admin() as client:
            assert [one.id for one in client.models()] == ["first"]
            tree = yaml.safe_load(server.config_path.read_text())
            tree["models"] = [{**ENTRY, "id": "second", "preload": True}]
            server.config_path.write_text(yaml.safe_dump(tree))
            until(lambda: [one.id for one in client.models()] == ["second"], "the new file is applied")
            until(lambda: status_of(client, "second").state == ModelState.READY, "its model is loaded")
            assert "applied: remove first, add second" in server.log_path.read_text()

        again = server.cli("serve", "--config", str(server.config_path))
        assert again.returncode == 1
        assert "already serves" in again.stderr

        descendants = psutil.Process(server.process.pid).children(recursive=True)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        stopped = server.cli("stop")
        assert stopped.returncode == 0, stopped.stderr
        psutil.wait_procs(descendants, timeout=30)
        assert [one.name() for one in descendants if one.is_running()] == []
        assert proxies_of(home) == []
        assert open_ports(server) == set()


def test_a_bind_beyond_loopback_without_keys_refuses_and_says_how_to_make_one(
    tmp_path: Path, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> None:
    (tmp_path / "assets").symlink_to(shared_home / "assets")
    config = tmp_path / "neuroforge.yaml"
    config.write_text(yaml.safe_dump({"models": [ENTRY], "gateway": {"host": "0.0.0.0", "port": free_port()}}))
    environment = {**os.environ, "NEUROFORGE_HOME": str(tmp_path)}
    refused = run_cli("serve", "--config", str(config), environment=environment)
    assert refused.returncode == 1
    assert "neuroforge keys create" in refused.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        config = tmp_path / "neuroforge.yaml"
        config.write_text(yaml.safe_dump({"models": [], "gateway": {"port": port}}))
        environment = {**os.environ, "NEUROFORGE_HOME": str(tmp_path)}
        refused = run_cli("serve", "--config", str(config), environment=environment)
    assert refused.returncode == 1
    assert f"port {port} (gateway.port) is taken" in refused.stderr


@pytest.mark.parametrize("word", ["serve", "models", "chat", "keys", "config", "doctor", "audit"])
def test_every_command_has_help(word: str) -> None:
    shown = run_cli(word, "--help", environment=os.environ)
    assert shown.returncode == 0
    assert "Usage" in shown.stdout
