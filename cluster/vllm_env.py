"""requirement list -> stamp? -> venv -> pip -> import check -> stamp: the environment of its own that vLLM lives in.

    python -m cluster.vllm_env create [--gpu] [--home DIR]
    python -m cluster.vllm_env convert MODEL.gguf DIRECTORY [--home DIR]

The base environment never holds vLLM or torch; Ray starts vLLM's replicas with this environment's interpreter.
"""

import hashlib
import importlib.metadata
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock

from neuroforge.errors import AssetError, ConfigError, DiskFull, NeuroForgeError
from neuroforge.settings import load_settings

logger = logging.getLogger(__name__)

STAMP = "neuroforge-requirements.sha256"
NEEDED_BYTES_BY_NAME = {"vllm-cpu": 4 * 10**9, "vllm-gpu": 16 * 10**9}
"""Installed size and the downloads that pip keeps while it works."""
IMPORT_CHECK = "import torch, vllm; from ray.serve.llm import LLMConfig"
_IMPORT_TIMEOUT_S = 600.0

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The environment of its own that vLLM lives in.")


def environment_name(is_gpu: bool) -> str:
    """Return the directory's name below `envs/`."""
    return "vllm-gpu" if is_gpu else "vllm-cpu"


def read_requirements(name: str, ray_version: str) -> str:
    """Return the list of an environment, with Ray at the base environment's version."""
    text = (Path(__file__).parent / "deploy" / f"requirements-{name}.txt").read_text()
    return re.sub(r"^(ray(?:\[[\w,-]*\])?)==\S+", rf"\1=={ray_version}", text, flags=re.M)


def stamp_of(requirements: str, python_version: str) -> str:
    """Return what identifies an environment: the list without comments, and the interpreter."""
    lines = [line for line in requirements.splitlines() if line and not line.startswith("#")]
    return hashlib.sha256("\n".join([python_version, *lines]).encode()).hexdigest()


def find_python(home: Path, is_gpu: bool) -> Path:
    """Return the interpreter of a finished environment that fits this program.

    Raises:
        ConfigError: It was never created, not finished, or for another list; says the command that creates it.
    """
    name = environment_name(is_gpu)
    directory = home / "envs" / name
    if _read_stamp(directory) != _wanted_stamp(name):
        option = " --gpu" if is_gpu else ""
        raise ConfigError(
            f"engine vllm needs its own environment in {directory}, which is missing or out of date; "
            f"run: python -m cluster.vllm_env create{option} --home {home}"
        )
    return directory / "bin" / "python"


def create_environment(home: Path, is_gpu: bool) -> Path:
    """Make the environment unless it is there already, and return its interpreter.

    What pip says goes to this process's output. A second call at the same time waits for the first.

    Raises:
        DiskFull: Too little room, told before the download.
        AssetError: pip failed, or what it installed cannot be imported. The next call starts afresh.
    """
    name = environment_name(is_gpu)
    directory = home / "envs" / name
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(directory.with_suffix(".lock")):
        if _read_stamp(directory) != _wanted_stamp(name):
            _check_space(directory.parent, NEEDED_BYTES_BY_NAME[name])
            _install(name, directory, with_dependencies=is_gpu)
            (directory / STAMP).write_text(_wanted_stamp(name))
            logger.info("vLLM environment created", extra={"path": str(directory)})
    return directory / "bin" / "python"


def _install(name: str, directory: Path, with_dependencies: bool) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(directory)], "the virtual environment could not be made")
    requirements = directory / "requirements.txt"
    requirements.write_text(read_requirements(name, _base_ray_version()))
    python = str(directory / "bin" / "python")
    options = [] if with_dependencies else ["--no-deps"]
    _run(
        [python, "-m", "pip", "install", "--disable-pip-version-check", *options, "-r", str(requirements)],
        "pip could not install it; if torch is what it did not find, add PyTorch's package index for this machine to "
        "pip's configuration (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS) and run the command again",
    )
    _run([python, "-c", IMPORT_CHECK], "vLLM was installed but cannot be imported", timeout_s=_IMPORT_TIMEOUT_S)


def _run(command: list[str], failure: str, timeout_s: float | None = None) -> None:
    try:
        subprocess.run(command, check=True, timeout=timeout_s)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise AssetError(f"vLLM environment: {failure} ({error})") from error


def _check_space(directory: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(directory).free
    if free_bytes < needed_bytes:
        raise DiskFull(
            f"{directory}: {free_bytes / 1e9:.1f} GB free, the vLLM environment needs {needed_bytes / 1e9:.0f} GB",
            needed_bytes=needed_bytes,
            free_bytes=free_bytes,
            path=str(directory),
        )


def _wanted_stamp(name: str) -> str:
    return stamp_of(read_requirements(name, _base_ray_version()), sys.version)


def _read_stamp(directory: Path) -> str | None:
    path = directory / STAMP
    return path.read_text() if path.is_file() else None


def _base_ray_version() -> str:
    return importlib.metadata.version("ray")


def _home(given: Path | None) -> Path:
    return given.expanduser().absolute() if given else load_settings().storage.home


HomeOption = Annotated[Path | None, typer.Option("--home", help="Default: storage.home of the configuration.")]


@app.command()
def create(
    home: HomeOption = None, gpu: Annotated[bool, typer.Option("--gpu", help="The CUDA build, with CUDA.")] = False
) -> None:
    """Create the environment; does nothing when it is there."""
    try:
        typer.echo(str(create_environment(_home(home), is_gpu=gpu)))
    except NeuroForgeError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(1) from error


@app.command()
def convert(gguf: Path, directory: Path, home: HomeOption = None) -> None:
    """Write a GGUF file as the checkpoint directory that vLLM loads (float32, so about 7 times a 4-bit file)."""
    script = Path(__file__).parent / "convert_gguf.py"
    isolated = "-I"  # else the script's directory comes first, whose modules hide the standard library's
    try:
        python = find_python(_home(home), is_gpu=False)
        _run([str(python), isolated, str(script), str(gguf), str(directory)], f"{gguf} could not be converted")
    except NeuroForgeError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
