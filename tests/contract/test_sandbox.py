"""Each of these starts processes: 0.1 to 1 s. They run as root and as an ordinary user."""

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from neuroforge.errors import SandboxUnavailable
from neuroforge.scoring import sandbox as sandbox_module
from neuroforge.scoring.sandbox import Limits, RunResult, Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    found = Sandbox(Limits(timeout_s=20.0))
    try:
        found.check()
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    return found


@pytest.fixture(scope="module")
def hasty(sandbox: Sandbox) -> Sandbox:
    return Sandbox(Limits(timeout_s=0.7))


def test_a_program_runs_and_its_output_comes_back(sandbox: Sandbox) -> None:
    result = sandbox.run("import sys; print('héllo'); print('oh', file=sys.stderr); raise SystemExit(3)")
    assert (result.ending, result.exit_code, result.stdout, result.stderr) == ("exited", 3, "héllo\n", "oh\n")


def test_a_listening_socket_of_the_host_cannot_be_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = sandbox.run(f"import socket; socket.create_connection(('127.0.0.1', {port})); print('reached')")
    assert "reached" not in result.stdout
    assert "PermissionError" in result.stderr


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, 16, 17, 40], ids=str)
def test_no_socket_but_a_local_one_can_be_made_by_ctypes(sandbox: Sandbox, family: int) -> None:
    """16 = netlink, 17 = packets, 40 = the hypervisor's, which no namespace holds back."""
    result = sandbox.run(f"import ctypes; print(ctypes.CDLL(None).socket({int(family)}, 1, 0))")
    assert result.stdout == "-1\n"


def test_the_network_namespace_holds_back_what_gets_past_the_filter(sandbox: Sandbox) -> None:
    result = sandbox.run("import socket; print(socket.if_nameindex())")
    assert "eth" not in result.stdout


def test_a_socket_of_the_host_without_a_path_cannot_be_reached(sandbox: Sandbox) -> None:
    """Abstract names belong to the network namespace, so that no file system view holds them back."""
    name = f"neuroforge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        result = sandbox.run(f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}'); print('reached')")
    assert "reached" not in result.stdout
    assert "ConnectionRefusedError" in result.stderr


def test_a_socket_in_a_directory_of_the_host_cannot_be_reached(sandbox: Sandbox, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        result = sandbox.run(f"import socket; socket.socket(socket.AF_UNIX).connect({path!r}); print('reached')")
    assert "reached" not in result.stdout
    assert "FileNotFoundError" in result.stderr


def test_no_descriptor_of_the_parent_is_inherited(sandbox: Sandbox, tmp_path: Path) -> None:
    program = (
        "import os\nfound = []\nfor n in range(256):\n    try:\n        os.fstat(n)\n        found.append(n)\n"
        "    except OSError:\n        pass\nprint(found)"
    )
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        result = sandbox.run(program)
    assert result.stdout == "[0, 1, 2]\n"


def test_a_fork_bomb_is_bounded_and_killed(hasty: Sandbox) -> None:
    bomb = (
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        print(end='.', flush=True)\n"
    )
    started_s = time.monotonic()
    result = hasty.run(bomb)
    assert result.ending in ("timeout", "output_limit")
    assert time.monotonic() - started_s < 15


def test_forking_fails_at_the_limit(sandbox: Sandbox) -> None:
    program = (
        "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            time.sleep(60)\n"
        "            os._exit(0)\n        n += 1\nexcept BlockingIOError:\n    print(n, flush=True)\n    os._exit(0)\n"
    )
    result = sandbox.run(program)
    assert 0 < int(result.stdout) <= sandbox.limits.n_processes


def test_processes_that_left_the_session_die_with_the_sandbox(sandbox: Sandbox) -> None:
    marker = f"neuroforge-{os.getpid()}-left-behind"
    program = (
        "import subprocess, sys\nchild = 'print(1, flush=True); import time; time.sleep(300)'\n"
        f"argv = [sys.executable, '-c', child, '{marker}']\n"
        "left = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)\n"
        "left.stdout.readline()\nprint('left')\n"
    )
    assert "left" in sandbox.run(program).stdout
    assert not _wait_for(marker, is_alive=False)


def test_the_environment_of_the_parent_is_not_seen(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "hush-hush")
    program = (
        "import os, pathlib\nprint(dict(os.environ))\n"
        "for path in pathlib.Path('/proc').glob('*/environ'):\n    print(path.read_bytes())\n"
    )
    assert "hush-hush" not in sandbox.run(program).stdout


def test_no_process_of_the_host_is_seen(sandbox: Sandbox) -> None:
    result = sandbox.run(f"import os\nprint(os.getpid())\nos.kill({os.getpid()}, 0)")
    assert int(result.stdout) < 10
    assert "ProcessLookupError" in result.stderr


def test_endless_output_ends_the_program(sandbox: Sandbox) -> None:
    started_s = time.monotonic()
    result = sandbox.run("for _ in range(10**7):\n    print('x' * 1000)")
    assert result.ending == "output_limit"
    assert len(result.stdout) <= sandbox.limits.output_bytes
    assert time.monotonic() - started_s < 15


def test_ten_gigabytes_to_both_streams_at_once_are_cut_off(sandbox: Sandbox) -> None:
    started_s = time.monotonic()
    block = "b'x' * 2**20"
    result = sandbox.run(f"import os\nfor _ in range(5120):\n    os.write(1, {block})\n    os.write(2, {block})")
    assert result.ending == "output_limit"
    assert len(result.stdout) + len(result.stderr) <= 2 * sandbox.limits.output_bytes
    assert time.monotonic() - started_s < 15


def test_ten_gigabytes_in_files_do_not_fit(sandbox: Sandbox) -> None:
    program = (
        "import os\nfor path in ('/tmp/a', '/dev/shm/a'):\n    try:\n        with open(path, 'wb') as file:\n"
        "            os.posix_fallocate(file.fileno(), 0, 10**10)\n        print('fitted', path)\n"
        "    except OSError as error:\n        print(type(error).__name__)\n"
    )
    assert "fitted" not in sandbox.run(program).stdout


def test_the_home_directory_can_be_neither_read_nor_written(sandbox: Sandbox) -> None:
    home = Path.home()
    result = sandbox.run(f"import os\nprint(os.listdir({str(home)!r}))\nopen({str(home / 'x')!r}, 'w')")
    visible = [name for name in home.iterdir() if f"'{name.name}'" in result.stdout and not _holds_python(name)]
    assert visible == []
    assert result.exit_code == 1
    assert not (home / "x").exists()


@pytest.mark.parametrize("path", ["/x", "/usr/x", "/tmp/../x", "/dev/x", sys.base_prefix + "/x"])
def test_nothing_outside_tmp_can_be_written(sandbox: Sandbox, path: str) -> None:
    result = sandbox.run(f"open({path!r}, 'w')")
    assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr


def test_tmp_is_the_programs_own_and_small(sandbox: Sandbox) -> None:
    program = "import os\nprint(os.listdir('.'))\nopen('big', 'wb').write(b'x' * 10**8)"
    result = sandbox.run(program)
    assert result.stdout == "['program.py']\n"
    assert "OSError" in result.stderr


def test_the_program_is_nobody_without_a_way_up(sandbox: Sandbox) -> None:
    program = (
        "import ctypes, os\nprint(os.getuid())\nlibc = ctypes.CDLL(None)\n"
        "print(libc.unshare(0x10000000), libc.setuid(0), libc.ptrace(0, 0, 0, 0), libc.chroot(b'/tmp'))"
    )
    assert sandbox.run(program).stdout == "65534\n-1 -1 -1 -1\n"


def test_memory_is_limited(sandbox: Sandbox) -> None:
    assert "MemoryError" in sandbox.run("x = bytearray(2 * 10**9)").stderr


def test_a_program_that_does_not_end_is_ended(hasty: Sandbox) -> None:
    assert hasty.run("while True: pass").ending == "timeout"


def test_closing_the_output_does_not_save_a_program(hasty: Sandbox) -> None:
    assert hasty.run("import os, time\nos.close(1)\nos.close(2)\ntime.sleep(60)").ending == "timeout"


def test_input_is_empty(sandbox: Sandbox) -> None:
    assert sandbox.run("import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_threads_and_child_processes_work_within_the_limits(sandbox: Sandbox) -> None:
    program = (
        "import subprocess, sys, threading\nt = threading.Thread(target=print, args=('thread',))\nt.start()\nt.join()\n"
        "print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True).stdout)"
    )
    assert sandbox.run(program).stdout.split() == ["thread", "1"]


def test_several_threads_may_use_one_sandbox(sandbox: Sandbox) -> None:
    found: list[RunResult] = []
    threads = [threading.Thread(target=lambda n=n: found.append(sandbox.run(f"print({n})"))) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.stdout for one in found) == ["0\n", "1\n", "2\n", "3\n"]


def test_where_the_kernel_forbids_it_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module.sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="allow-unsandboxed"):
        Sandbox().run("print(1)")


def test_an_interpreter_that_does_not_start_inside_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "_LAUNCH", "raise SystemExit('cannot')")
    with pytest.raises(SandboxUnavailable, match="cannot"):
        Sandbox().check()


def test_with_permission_it_runs_with_limits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module.sys, "platform", "darwin")
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "hush-hush")
    sandbox = Sandbox(Limits(timeout_s=20.0), allow_unsandboxed=True)
    assert sandbox.check() is False
    result = sandbox.run("import os; print(sorted(set(os.environ) - {'LC_CTYPE'}), os.listdir('.'))")
    assert result.stdout == "[] ['program.py']\n"


def _holds_python(path: Path) -> bool:
    return Path(sys.base_prefix).is_relative_to(path)


def _wait_for(marker: str, is_alive: bool) -> bool:
    """Whether a process with that word on its command line is (still) there after at most 5 s."""
    deadline_s = time.monotonic() + 5
    while (found := _is_running(marker)) != is_alive and time.monotonic() < deadline_s:
        threading.Event().wait(0.02)
    return found


def _is_running(marker: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
