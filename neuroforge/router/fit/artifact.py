"""FittedRouter <-> a directory of router.json and router.safetensors; nothing in it can run code."""

import hashlib
import json
import tempfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from neuroforge.errors import DataError
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.surface import SURFACE_NAMES

FORMAT_VERSION = 3
DESCRIPTION, ARRAYS = "router.json", "router.safetensors"


def save_router(directory: Path, fitted: FittedRouter) -> None:
    """Write the router; an older one there is replaced as a whole, or not at all.

    Raises:
        DataError: The directory exists and is no router directory, or cannot be written.
    """
    if directory.exists() and not (directory / DESCRIPTION).is_file() and any(directory.iterdir()):
        raise DataError(f"{directory}: exists and is not a router directory; choose another with --out")
    values: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    _flatten(fitted, "", values, arrays)
    payload = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    description = {
        "format_version": FORMAT_VERSION,
        "arrays_sha256": hashlib.sha256(payload).hexdigest(),
        "surface_names": list(SURFACE_NAMES),
        **values,
    }
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent) as place:
            fresh = Path(place) / "new"
            fresh.mkdir()
            (fresh / ARRAYS).write_bytes(payload)
            (fresh / DESCRIPTION).write_text(json.dumps(description, indent=1))
            _replace(fresh, directory, Path(place) / "old")
    except OSError as error:
        raise DataError(f"{directory}: the router cannot be written: {error.strerror}") from error


def load_router(directory: Path, embedder_sha256: str) -> FittedRouter:
    """Return the router of a directory.

    Raises:
        DataError: Missing, of another format version, of another embedder, changed, or incomplete.
    """
    try:
        description = json.loads((directory / DESCRIPTION).read_text())
        payload = (directory / ARRAYS).read_bytes()
    except OSError as error:
        raise DataError(f"{directory}: not a router directory: {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{directory / DESCRIPTION}: not JSON: {error}") from error
    _check(directory, description, embedder_sha256)
    if hashlib.sha256(payload).hexdigest() != description.get("arrays_sha256"):
        raise DataError(f"{directory / ARRAYS}: not the file that {DESCRIPTION} was written with; fit the router again")
    try:
        fitted: FittedRouter = _restore(FittedRouter, "", description, load(payload))
    except (KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"{directory}: incomplete router: {error}; fit it again") from error
    return fitted


def _check(directory: Path, description: Any, embedder_sha256: str) -> None:
    version = description.get("format_version") if isinstance(description, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(
            f"{directory}: router format {version!r}, this release reads {FORMAT_VERSION}: fit the router again"
        )
    if description.get("embedder_sha256") != embedder_sha256:
        raise DataError(
            f"{directory}: fitted with the embedder {description.get('embedder_sha256')}, this one is "
            f"{embedder_sha256}: fit the router again, or load the embedder that it was fitted with"
        )
    if description.get("surface_names") != list(SURFACE_NAMES):
        raise DataError(f"{directory}: fitted with other surface features than this release's: fit the router again")


def _replace(fresh: Path, directory: Path, old: Path) -> None:
    """Put the new directory in the place of the old one, which comes back if that fails."""
    had_one = directory.exists()
    if had_one:
        directory.replace(old)
    try:
        fresh.replace(directory)
    except OSError:
        if had_one:
            old.replace(directory)
        raise


def _flatten(part: Any, prefix: str, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    for field in fields(part):
        value, name = getattr(part, field.name), prefix + field.name
        if is_dataclass(value):
            _flatten(value, name + ".", values, arrays)
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            values[name] = list(value) if isinstance(value, tuple) else value


def _restore(cls: Any, prefix: str, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Any:
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(cls).items():
        path = prefix + name
        if is_dataclass(kind):
            found[name] = _restore(kind, path + ".", values, arrays)
        elif path in arrays:
            found[name] = arrays[path]
        else:
            found[name] = tuple(values[path]) if isinstance(values[path], list) else values[path]
    return cls(**found)
