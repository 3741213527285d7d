"""(package, version) -> its tarball, through the user's npm (registry, credentials, proxy); no script of it runs."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from neuroforge.assets.disk import FreeSpace, require_free
from neuroforge.assets.failures import SourceFailed
from neuroforge.assets.progress import Meter
from neuroforge.contracts.assets import PackagePart

PACK_TIMEOUT_S = 3600.0
_POLL_S = 0.2


class NpmPackages:
    """Fetches tarballs with `npm pack`."""

    def __init__(self, environ: Mapping[str, str], stop: threading.Event, free_space: FreeSpace) -> None:
        self._environ = environ
        self._stop = stop
        self._free_space = free_space
        self._guard = threading.Lock()
        self._target_locks: dict[Path, threading.Lock] = {}

    def announce(self, part: PackagePart, meter: Meter) -> None:
        """Tell that it will come; npm does not say how large it is."""
        meter.expect(_tarball_name(part), None)

    def fetch(self, part: PackagePart, staging: Path, meter: Meter) -> Path:
        """Return the tarball in staging; one that is complete is not fetched again.

        Raises:
            SourceFailed: npm is missing, or refused.
            DiskFull: Hardly any space is left.
        """
        target = staging / _tarball_name(part)
        with self._guard:
            lock = self._target_locks.setdefault(target, threading.Lock())
        with lock:
            if not target.is_file():
                staging.mkdir(parents=True, exist_ok=True)
                require_free(1, staging, self._free_space)
                self._pack(f"{part.package}@{part.version}", target)
            size = target.stat().st_size
            meter.expect(target.name, size)
            meter.reach(target.name, size)
            return target

    def _pack(self, spec: str, target: Path) -> None:
        npm = shutil.which("npm", path=self._environ.get("PATH"))
        if npm is None:
            raise SourceFailed(f"{spec}: npm is not installed (https://nodejs.org)")
        with tempfile.TemporaryDirectory(prefix="npm-", dir=target.parent) as scratch:
            # A cache of its own: npm would keep a second copy of every tarball in the user's.
            options = (
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-update-notifier",
                "--cache",
                f"{scratch}/cache",
            )
            self._run((npm, "pack", spec, *options, "--pack-destination", scratch), scratch, spec)
            packed = list(Path(scratch).glob("*.tgz"))
            if len(packed) != 1:
                raise SourceFailed(f"{spec}: npm pack left no tarball")
            packed[0].replace(target)

    def _run(self, command: Sequence[str], directory: str, spec: str) -> None:
        log = Path(directory, "npm.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                cwd=directory,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )
        try:
            code = self._wait(process)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code != 0:
            raise SourceFailed(f"{spec}: npm pack failed ({_error_code(log.read_text(errors='replace'))})")

    def _wait(self, process: "subprocess.Popen[bytes]") -> int:
        for _ in range(int(PACK_TIMEOUT_S / _POLL_S)):
            try:
                return process.wait(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    raise SourceFailed("stopped") from None
        raise SourceFailed(f"npm pack took more than {PACK_TIMEOUT_S:.0f} s")


def _tarball_name(part: PackagePart) -> str:
    return f"npm-{part.package.replace('/', '-').lstrip('@')}-{part.version}.tgz"


def _error_code(log: str) -> str:
    """Return npm's own code, such as E404: its other lines may name a registry with credentials."""
    words = [line.split() for line in log.splitlines() if " code " in f" {line} "]
    return next((line[-1] for line in words if line), "no code; run `npm pack` by hand to see why")
