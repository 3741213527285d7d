import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli import checks_machine as machine
from cluster.cli import checks_software as software
from cluster.cli.checks_network import Listener, check_exposure, check_port, find_listeners, network_checks, our_pids
from neuroforge.settings import settings_from_tree
from tests.unit.cluster.cli_runner import Cli

GIB = 1024**3
MINE = Listener("127.0.0.1", 8000, 7, "python")
FOREIGN = Listener("0.0.0.0", 8000, 9, "nginx")


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home")


def test_every_check_has_a_level_and_a_failure_its_remedy(cli: Cli) -> None:
    result = cli("doctor", "--json")
    found = json.loads(result.stdout)
    assert {"settings", "home", "disk", "memory", "gpu", "haproxy", "sockets"} <= {
        one["name"] for one in found["checks"]
    }
    assert all(one["remedy"] for one in found["checks"] if one["level"] != "ok")
    assert result.exit_code == (0 if found["is_healthy"] else 1)


def test_a_taken_port_fails_and_names_its_holder(cli: Cli, listening: int) -> None:
    cli.config(f"ray: {{dashboard_port: {listening}}}\n")
    found = cli.json("doctor", exit_code=1)
    check = next(one for one in found["checks"] if one["name"] == f"port {listening}")
    assert check["level"] == "fail"
    assert f"process {os.getpid()}" in check["detail"]
    assert "ray.dashboard_port" in check["remedy"]


def test_broken_settings_do_not_stop_the_other_checks(cli: Cli) -> None:
    cli.config("gateway: {prot: 1}\n")
    result = cli("doctor")
    assert result.exit_code == 1
    assert "gateway.prot" in result.stdout
    assert "haproxy" in result.stdout


def test_a_port_is_free_ours_or_taken() -> None:
    assert check_port(8001, "gateway.port", [MINE], {7}).level == "ok"
    assert check_port(8000, "gateway.port", [MINE], {7}).detail == "held by NeuroForge (gateway.port)"
    taken = check_port(8000, "HAProxy's metrics", [FOREIGN], {7})
    assert (taken.level, taken.detail) == ("fail", "HAProxy's metrics: held by nginx (process 9)")
    assert "gateway.port" in taken.remedy
    assert "another user" in check_port(8000, "gateway.port", [Listener("::", 8000, None)], set()).detail


def test_only_our_sockets_beyond_loopback_are_named() -> None:
    exposed = Listener("0.0.0.0", 6379, 7, "gcs_server")
    assert check_exposure([MINE, FOREIGN], {7}, is_running=True).level == "ok"
    found = check_exposure([MINE, FOREIGN, exposed], {7}, is_running=True)
    assert (found.level, found.detail) == ("warn", "reachable from other machines: 6379 (gcs_server)")
    assert check_exposure([exposed], {7}, is_running=False).level == "ok"


@pytest.mark.parametrize(("address", "is_loopback"), [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True)])
def test_loopback_in_all_spellings(address: str, is_loopback: bool) -> None:
    assert Listener(address, 1, 1).is_loopback is is_loopback
    assert not Listener("fe80::1%eth0", 1, 1).is_loopback


def test_listeners_are_found_with_their_process(listening: int) -> None:
    assert [one.pid for one in find_listeners() if one.port == listening] == [os.getpid()]


def test_our_processes_are_the_server_and_its_children(tmp_path: Path) -> None:
    assert os.getpid() in our_pids(os.getpid(), tmp_path)
    assert our_pids(None, tmp_path) == set()


def test_a_held_port_of_a_running_server_is_fine(listening: int, tmp_path: Path) -> None:
    settings = settings_from_tree({"ray": {"dashboard_port": listening}, "storage": {"home": str(tmp_path)}}, "test")
    by_name = {one.name: one for one in network_checks(settings, server_pid=os.getpid())}
    assert by_name[f"port {listening}"].level == "ok"


def test_little_memory_or_disk_is_told(tmp_path: Path) -> None:
    levels = [machine.check_memory(available * GIB // 2, 24 * GIB).level for available in (1, 3, 8)]
    assert levels == ["fail", "warn", "ok"]
    assert machine.check_disk(tmp_path / "not" / "there").detail.endswith(str(tmp_path))
    assert machine.check_cpus(1).level == "warn"
    assert [machine.check_open_files(limit).level for limit in (-1, 256, 1024, 9999)] == ["ok", "fail", "warn", "ok"]


def test_a_home_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert machine.check_home(path).level == "fail"
    assert machine.check_home(tmp_path / "new").level == "ok"


def test_a_gpu_without_its_engine_is_told() -> None:
    def smi(command: list[str]) -> str | None:
        return "NVIDIA H200, 143771 MiB\n" if command[0] == "nvidia-smi" else None

    assert machine.check_gpu(lambda _command: None, has_vllm=False).level == "ok"
    assert machine.check_gpu(smi, has_vllm=True).detail == "NVIDIA H200, 143771 MiB; vLLM is installed"
    missing = machine.check_gpu(smi, has_vllm=False)
    assert (missing.level, missing.remedy) == ("warn", "run: python -m cluster.vllm_env create --gpu")


def test_a_command_that_fails_or_is_missing_says_nothing() -> None:
    assert machine.run_command(["no-such-program-here"]) is None
    assert machine.run_command([sys.executable, "-c", "raise SystemExit(3)"]) is None
    assert machine.run_command([sys.executable, "-c", "print(1)"]) == "1\n"


def test_a_clock_before_the_installation_is_wrong() -> None:
    assert machine.check_clock(1_000_000.0, 2_000_000.0).level == "fail"
    assert machine.check_clock(2_000_000.0, 2_000_000.0).detail == "1970-01-24 03:33:20 UTC"


def test_versions_are_held_against_what_is_supported() -> None:
    assert software.check_python((3, 10, 1)).level == "fail"
    assert software.check_python((3, 12, 0)).level == "ok"
    assert [software.check_ray(one).level for one in (None, "2.59.0", "2.60.1")] == ["fail", "warn", "ok"]
    assert [software.check_engine(one).level for one in (None, "2026.10")] == ["fail", "ok"]
    assert software.check_npm(None).level == software.check_pip(False, None).level == "warn"
    assert software.version_of("no-such-package-here") is None


def test_the_proxys_binary_is_found_as_serve_finds_it(tmp_path: Path) -> None:
    named = tmp_path / "haproxy"
    assert software.check_haproxy({"RAY_SERVE_HAPROXY_BINARY_PATH": str(named)}, None).level == "fail"
    named.write_text("")
    named.chmod(0o755)
    assert software.check_haproxy({"RAY_SERVE_HAPROXY_BINARY_PATH": str(named)}, None).level == "ok"
    assert software.check_haproxy({}, named).detail == str(named)
