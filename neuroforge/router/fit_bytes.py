"""A router directory <-> bytes: how a fit travels to the gateway replicas and lies in the database."""

import io
import re
import tempfile
import zipfile
from pathlib import Path

from neuroforge.errors import DataError
from neuroforge.router.fit.artifact import load_router
from neuroforge.router.fit.model import FittedRouter

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive: the same fit gives the same bytes."""


def pack_router(directory: Path, embedder_sha256: str) -> bytes:
    """Return a router directory as bytes: an archive without compression, the same for the same files.

    Raises:
        DataError: As load_router.
    """
    load_router(directory, embedder_sha256)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(one for one in directory.iterdir() if one.is_file() and _NAME.fullmatch(one.name)):
            archive.writestr(zipfile.ZipInfo(path.name, _EPOCH), path.read_bytes())
    return buffer.getvalue()


def load_router_bytes(data: bytes, embedder_sha256: str) -> FittedRouter:
    """Return the router of `pack_router`'s bytes.

    Raises:
        DataError: Damaged, or as load_router.
    """
    with tempfile.TemporaryDirectory(prefix="nf-fit-") as place:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    if _NAME.fullmatch(name):  # no other is written by us, and none may leave the directory
                        (Path(place) / name).write_bytes(archive.read(name))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise DataError(f"not the bytes of a fitted router: {error}") from error
        try:
            return load_router(Path(place), embedder_sha256)
        except DataError as error:
            raise DataError(error.message.replace(place, "the stored fit")) from error
