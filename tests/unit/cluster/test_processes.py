"""What a killed server left behind is ended, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from cluster.processes import end_orphans, is_alive

PRETEND = """
import ctypes, sys
PR_SET_NAME = 15
ctypes.CDLL(None).prctl(PR_SET_NAME, sys.argv[1].encode())
log = open(sys.argv[2] + "/agent.out", "w")
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def process_named(title: str, session_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    session_dir.mkdir()
    words = [sys.executable, "-c", PRETEND, title, str(session_dir)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def test_rays_processes_of_this_session_are_ended(tmp_path: Path) -> None:
    with process_named("ray::DashboardAgent", tmp_path / "mine") as process:
        assert end_orphans(tmp_path / "proxy", tmp_path / "mine") == 1
        assert not is_alive(process.pid)


def test_those_of_another_session_are_left_alone(tmp_path: Path) -> None:
    with process_named("ray::DashboardAgent", tmp_path / "other") as process:
        assert end_orphans(tmp_path / "proxy", tmp_path / "mine") == 0
        assert is_alive(process.pid)


def test_a_cluster_that_was_only_joined_is_left_alone(tmp_path: Path) -> None:
    with process_named("ray::DashboardAgent", tmp_path / "joined") as process:
        assert end_orphans(tmp_path / "proxy", None) == 0
        assert is_alive(process.pid)


def test_a_program_of_the_users_is_left_alone(tmp_path: Path) -> None:
    with process_named("my-notebook", tmp_path / "mine") as process:
        assert end_orphans(tmp_path / "proxy", tmp_path / "mine") == 0
        assert is_alive(process.pid)


def test_a_process_that_is_gone_is_not_alive() -> None:
    unused = max(psutil.pids()) + 1_000_000
    assert not is_alive(unused)
