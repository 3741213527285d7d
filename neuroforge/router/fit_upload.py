"""FitUpload -> the fit's bytes, checked: files that were sent, or a directory of the head node."""

import base64
import binascii
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from neuroforge.contracts.outcomes import FitUpload
from neuroforge.errors import DataError, RequestError

ReadFit = Callable[[Path], bytes]
"""A router directory -> its fit as bytes. Raises DataError: it is damaged, or of another version or embedder."""
MAX_FILES = 64
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")


def read_upload(upload: FitUpload, read_fit: ReadFit) -> bytes:
    """Return the fit as bytes.

    Raises:
        RequestError: A file's name or content cannot be, or there is no such directory.
        DataError: As `read_fit`.
    """
    if upload.path is not None:
        directory = Path(upload.path)
        if not directory.is_absolute() or not directory.is_dir():
            raise RequestError(f"path: {upload.path} is no directory on the head node (give it absolute)", param="path")
        return read_fit(directory)
    with tempfile.TemporaryDirectory(prefix="nf-fit-") as name:
        _write(upload.files or {}, Path(name))
        try:
            return read_fit(Path(name))
        except DataError as error:  # our own temporary directory tells the caller nothing
            raise DataError(error.message.replace(name, "the router directory")) from error


def _write(files: Mapping[str, str], directory: Path) -> None:
    if not 0 < len(files) <= MAX_FILES:
        raise RequestError(f"files: a router directory has 1 to {MAX_FILES} files, not {len(files)}", param="files")
    for name, content in files.items():
        if not _NAME.fullmatch(name):
            raise RequestError("files: a name may have letters, digits, '_', '-' and '.' only", param="files")
        try:
            (directory / name).write_bytes(base64.b64decode(content, validate=True))
        except (binascii.Error, ValueError) as error:
            raise RequestError(f"files: the content of {name} is not base64", param="files") from error
