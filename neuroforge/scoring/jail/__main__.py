"""Entry point of the launcher: `python -I -S -c ... CONFIG`, the program's text on stdin."""

import os
import resource
import signal
import sys
from typing import NoReturn

from neuroforge.scoring.jail import calls
from neuroforge.scoring.jail.config import PROGRAM_NAME, JailConfig
from neuroforge.scoring.jail.seccomp import install_filter
from neuroforge.scoring.jail.view import build_view

_NOBODY = 65534
_NAMESPACES = (
    calls.CLONE_NEWUSER
    | calls.CLONE_NEWNS
    | calls.CLONE_NEWPID
    | calls.CLONE_NEWNET
    | calls.CLONE_NEWIPC
    | calls.CLONE_NEWUTS
)
_ENVIRONMENT: dict[str, str] = {}


def main(config: JailConfig, program: bytes) -> int:
    """Run the program; return its exit status, or 128 + the signal that ended it."""
    os.set_inheritable(config.status_fd, False)
    is_root = os.geteuid() == 0
    try:
        calls.die_with_parent()
        if config.is_isolated:
            _enter_namespaces(is_root)
            build_view(config.root, config.binds, config.disk_bytes, program)
        else:
            os.chdir(config.root)
            with open(PROGRAM_NAME, "wb") as file:  # noqa: PTH123 - pathlib takes longer to import than this to run
                file.write(program)
    except OSError as error:
        _say(config.status_fd, str(error.strerror or error))
        return 1
    first = os.fork()
    if first == 0:
        _as_first_process(config, is_root)
    return _status_of(first)


def _enter_namespaces(is_root: bool) -> None:
    """Unshare, while a process that stays outside writes the user map: only it may map a second user."""
    own = os.getpid()
    unshared_r, unshared_w = os.pipe()
    uid, gid = os.geteuid(), os.getegid()
    if is_root:
        os.setgroups([])
    helper = os.fork()
    if helper == 0:
        os.close(unshared_w)
        os._exit(_map_users(own, uid, gid) if os.read(unshared_r, 1) else 0)
    os.close(unshared_r)
    try:
        calls.unshare(_NAMESPACES)
        os.write(unshared_w, b"x")
    finally:
        os.close(unshared_w)
        code = _status_of(helper)
    if code:
        raise OSError(code, f"user map: {os.strerror(code)}")


def _map_users(pid: int, uid: int, gid: int) -> int:
    """Root maps itself, to build the view with, and nobody, to run as; others map themselves. 0, or the errno."""
    try:
        if uid != 0:
            _write(f"/proc/{pid}/setgroups", "deny")
        _write(f"/proc/{pid}/uid_map", f"0 0 1\n{_NOBODY} {_NOBODY} 1\n" if uid == 0 else f"{_NOBODY} {uid} 1\n")
        _write(f"/proc/{pid}/gid_map", f"0 0 1\n{_NOBODY} {_NOBODY} 1\n" if uid == 0 else f"{_NOBODY} {gid} 1\n")
    except OSError as error:
        return error.errno or 1
    return 0


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _as_first_process(config: JailConfig, is_root: bool) -> NoReturn:
    """First of the PID namespace: when it ends, the kernel kills all others in it."""
    try:
        calls.die_with_parent()
        if config.is_isolated:
            calls.check(calls.libc.sethostname(b"sandbox", 7), "sethostname")
            if is_root:
                os.setresgid(_NOBODY, _NOBODY, _NOBODY)
                os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            calls.drop_privileges()
            calls.die_with_parent()  # a change of user clears it
        program = os.fork()
        if program == 0:
            _run(config)
        os._exit(_status_of(program))
    except OSError as error:
        _say(config.status_fd, str(error.strerror or error))
    finally:
        os._exit(1)


def _run(config: JailConfig) -> NoReturn:
    try:
        _limit(config)
        if config.is_isolated:
            os.chdir("/tmp")  # noqa: S108 - the sandbox's own
            install_filter()
        nothing = os.open("/dev/null", os.O_RDONLY)
        os.dup2(nothing, 0)
        os.closerange(3, config.status_fd)
        os.closerange(config.status_fd + 1, 1024)
        _say(config.status_fd, "ready")
        os.execve(config.argv[0], config.argv, _ENVIRONMENT)  # noqa: S606 - no shell is wanted
    except OSError as error:
        _say(config.status_fd, str(error.strerror or error))
    finally:
        os._exit(1)


def _limit(config: JailConfig) -> None:
    limits = {
        resource.RLIMIT_AS: config.memory_bytes,
        resource.RLIMIT_CPU: config.cpu_s,
        resource.RLIMIT_FSIZE: config.disk_bytes,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    if config.is_isolated:  # outside, the count is of all the user's processes, and would forbid the first
        limits[resource.RLIMIT_NPROC] = config.n_processes
    for which, limit in limits.items():
        _, hard = resource.getrlimit(which)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(which, (bound, bound))


def _status_of(pid: int) -> int:
    while True:
        found, status = os.waitpid(pid, 0)
        if found == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _say(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode()[:500])


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills us
    sys.exit(main(JailConfig.load(sys.argv[-1]), sys.stdin.buffer.read()))
