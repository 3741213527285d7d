"""Untrusted Python -> a jailed process -> how it ended and what it printed."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neuroforge.errors import SandboxUnavailable
from neuroforge.scoring.jail.config import PROGRAM_NAME, JailConfig

Ending = Literal["exited", "timeout", "output_limit"]
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_START_TIMEOUT_S = 60.0
"""For the launcher on a machine that is busy; the program's own time starts when it does."""
_SYSTEM_PATHS = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/nix/store")
_REMEDY = (
    "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, "
    "kernel.apparmor_restrict_unprivileged_userns; in a container a seccomp profile that permits unshare and mount), "
    "or accept the risk with --allow-unsandboxed (of an experiment: allow_unsandboxed: true)"
)
_LAUNCH = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]); "
    "runpy.run_module('neuroforge.scoring.jail', run_name='__main__')"
)


@dataclass(frozen=True)
class Limits:
    """What one program may use. Memory is for each process, so that all together may take n_processes times as much."""

    timeout_s: float = 10.0
    memory_bytes: int = 512 * 1024**2
    n_processes: int = 12
    """All that live at once, threads and the sandbox's own one included; only where isolated."""
    output_bytes: int = 256 * 1024
    """Of stdout and stderr together; more ends the program."""
    disk_bytes: int = 16 * 1024**2


@dataclass(frozen=True)
class RunResult:
    """How a program ended."""

    ending: Ending
    exit_code: int | None
    """128 + n when signal n ended it; None unless it ended by itself."""
    stdout: str
    stderr: str
    took_s: float


class Sandbox:
    """Runs Python programs that nobody has read. Safe to use from several threads.

    Isolated by user, mount, PID, network, IPC and host-name namespaces, a read-only view that holds the system's and
    the interpreter's own directories and no more, an empty environment, a filter of system calls, and limits; no root
    is needed. Where the kernel forbids that, `run` refuses, unless `allow_unsandboxed`: then limits, an empty
    environment, a directory of its own and a process group that is killed are all there is, and the program can read
    and write what the user can.
    """

    def __init__(self, limits: Limits | None = None, allow_unsandboxed: bool = False) -> None:
        self.limits = limits or Limits()
        self._allow_unsandboxed = allow_unsandboxed
        self._guard = threading.Lock()
        self._is_isolated: bool | None = None

    def check(self) -> bool:
        """Return whether programs will be isolated; tried once.

        Raises:
            SandboxUnavailable: They cannot be, and running without was not allowed.
        """
        with self._guard:
            if self._is_isolated is None:
                self._is_isolated = self._try_isolation()
            return self._is_isolated

    def run(self, program: str) -> RunResult:
        """Run the text as a Python program; returns when it and all that it started are gone.

        Raises:
            SandboxUnavailable: As `check`; or the sandbox failed before the program began.
        """
        return self._run(program, is_isolated=self.check())

    def _try_isolation(self) -> bool:
        try:
            self._probe()
        except SandboxUnavailable as error:
            if self._allow_unsandboxed:
                return False
            raise SandboxUnavailable(f"code cannot be run safely here: {error.message}. {_REMEDY}") from error
        return True

    def _probe(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SandboxUnavailable(f"no sandbox on {sys.platform}: it needs Linux")
        probe = self._run("print('ok')", is_isolated=True)
        if probe.stdout.strip() != "ok":
            raise SandboxUnavailable(f"the interpreter does not start in the sandbox: {probe.stderr[-300:]}")

    def _run(self, program: str, is_isolated: bool) -> RunResult:
        with tempfile.TemporaryDirectory(prefix="neuroforge-sandbox-", ignore_cleanup_errors=True) as root:
            status_r, status_w = os.pipe()
            try:
                process = self._start(root, status_w, is_isolated)
            finally:
                os.close(status_w)
            with process, os.fdopen(status_r, "rb") as status:
                try:
                    _send(process, program)
                    _await_start(status.fileno())
                    return _collect(process, self.limits)
                finally:
                    _kill(process)

    def _start(self, root: str, status_fd: int, is_isolated: bool) -> "subprocess.Popen[bytes]":
        interpreter = str(Path(sys.executable).resolve())
        program_path = f"/tmp/{PROGRAM_NAME}" if is_isolated else f"{root}/{PROGRAM_NAME}"  # noqa: S108
        config = JailConfig(
            root=root,
            argv=(interpreter, "-I", "-B", "-X", "utf8", program_path),
            binds=(*_SYSTEM_PATHS, sys.base_prefix, sys.base_exec_prefix),
            status_fd=status_fd,
            is_isolated=is_isolated,
            memory_bytes=self.limits.memory_bytes,
            cpu_s=int(self.limits.timeout_s) + 1,
            n_processes=self.limits.n_processes,
            disk_bytes=self.limits.disk_bytes,
        )
        return subprocess.Popen(
            [interpreter, "-I", "-S", "-B", "-c", _LAUNCH, str(_PACKAGE_ROOT), config.dump()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            pass_fds=(status_fd,),
            start_new_session=True,
        )


def _send(process: "subprocess.Popen[bytes]", program: str) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(BrokenPipeError):  # the status says why it ended
        process.stdin.write(program.encode(errors="replace"))
        process.stdin.close()


def _await_start(status_fd: int) -> None:
    """Return when the program begins.

    Raises:
        SandboxUnavailable: The launcher says why it could not, or says nothing.
    """
    with selectors.DefaultSelector() as waiting:
        waiting.register(status_fd, selectors.EVENT_READ)
        said = os.read(status_fd, 1000).decode(errors="replace") if waiting.select(_START_TIMEOUT_S) else "no answer"
    if said != "ready":
        raise SandboxUnavailable(said or "the launcher ended without a word")


def _collect(process: "subprocess.Popen[bytes]", limits: Limits) -> RunResult:
    """Read both streams until they end, the time is over or the output is too much."""
    assert process.stdout is not None  # noqa: S101 - pipes were asked for
    assert process.stderr is not None  # noqa: S101
    started_s = time.monotonic()
    texts = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    ending: Ending = "exited"
    with selectors.DefaultSelector() as streams:
        for descriptor in texts:
            streams.register(descriptor, selectors.EVENT_READ)
        while streams.get_map():
            left_s = started_s + limits.timeout_s - time.monotonic()
            if left_s <= 0:
                ending = "timeout"
                break
            for key, _ in streams.select(left_s):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    streams.unregister(key.fd)
                texts[key.fd] += chunk
            if sum(map(len, texts.values())) > limits.output_bytes:
                ending = "output_limit"
                break
    exit_code = _wait(process, started_s + limits.timeout_s) if ending == "exited" else None
    if ending == "exited" and exit_code is None:
        ending = "timeout"
    out, err = (bytes(one[: limits.output_bytes]).decode(errors="replace") for one in texts.values())
    return RunResult(ending, exit_code, out, err, time.monotonic() - started_s)


def _wait(process: "subprocess.Popen[bytes]", deadline_s: float) -> int | None:
    """A program may close its streams and go on."""
    try:
        return process.wait(max(0.1, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The launcher's end ends the PID namespace's first process, and that all others."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
