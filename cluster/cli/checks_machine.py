"""Disk, memory, CPU, GPU, limits, clock: what the machine offers."""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from cluster.cli.checks import Check, graded
from cluster.cli.output import bytes_text
from cluster.vllm_env import environment_name

GIB = 1024**3
OPEN_FILES_WANTED = 4096
"""A thousand open streams, twice (client and model), and Ray's own."""
COMMAND_TIMEOUT_S = 5.0

RunCommand = Callable[[list[str]], str | None]


def machine_checks(home: Path) -> list[Check]:
    """Return what can be said without a server."""
    return [
        check_cpus(os.cpu_count() or 1),
        check_memory(psutil.virtual_memory().available, psutil.virtual_memory().total),
        check_home(home),
        check_disk(home),
        check_gpu(run_command, (home / "envs" / environment_name(is_gpu=True)).exists()),
        check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        check_clock(time.time(), Path(__file__).stat().st_mtime),
    ]


def check_cpus(n_cpus: int) -> Check:
    """Two is the least that leaves one for the gateway while a model computes."""
    return graded("cpu", n_cpus, 2, 1, f"{n_cpus} cores", "models and gateway will share one core: expect slow answers")


def check_memory(available_bytes: int, total_bytes: int) -> Check:
    """The default models and the cluster take about 2 GiB."""
    detail = f"{bytes_text(available_bytes)} of {bytes_text(total_bytes)} available"
    remedy = "close other programs, or serve fewer models"
    return graded("memory", available_bytes, 2.5 * GIB, 1 * GIB, detail, remedy)


def check_disk(home: Path) -> Check:
    """Weights are the large part; the nearest directory that exists tells the disk."""
    place = next(one for one in (home, *home.parents) if one.exists())
    free = shutil.disk_usage(place).free
    remedy = "free space, or set storage.home to another disk"
    return graded("disk", free, 5 * GIB, 1 * GIB, f"{bytes_text(free)} free at {place}", remedy)


def check_home(home: Path) -> Check:
    """Write and remove a file there, or where the directory would be made."""
    place = next(one for one in (home, *home.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        remedy = f"give this user write access to {place}, or set NEUROFORGE_HOME"
        return Check("home", "fail", f"{home}: cannot be written: {error.strerror}", remedy)
    return Check("home", "ok", f"{home} is writable" if home.exists() else f"{home} will be made")


def check_gpu(run: RunCommand, has_vllm: bool) -> Check:
    """A GPU that nothing uses is worth a word."""
    listing = run(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    if listing is None:
        return Check("gpu", "ok", "none found: models run on the CPU")
    names = "; ".join(line.strip() for line in listing.splitlines() if line.strip())
    if not has_vllm:
        return Check("gpu", "warn", f"{names}; vLLM is not installed", "run: python -m cluster.vllm_env create --gpu")
    return Check("gpu", "ok", f"{names}; vLLM is installed")


def check_open_files(limit: int) -> Check:
    """RLIM_INFINITY is -1."""
    wanted = OPEN_FILES_WANTED
    if limit < 0:
        return Check("open files", "ok", "no limit")
    return graded("open files", limit, wanted, 512, f"at most {limit}", f"run `ulimit -n {wanted}` before serving")


def check_clock(now_s: float, installed_at_s: float) -> Check:
    """A clock before the program's own installation is wrong: keys, limits and the audit log need the time."""
    day_s = 86_400
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if now_s < installed_at_s - day_s:
        return Check("clock", "fail", f"{text} is before this program was installed", "set the clock (timedatectl)")
    return Check("clock", "ok", text)


def run_command(command: list[str]) -> str | None:
    """Return what the command prints, or None when it is missing, fails or hangs."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
