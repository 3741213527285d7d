"""Small files that are either the old ones or the new ones, whatever happens in between."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from neuroforge.errors import DiskFull, StorageError


def write_whole(path: Path, data: bytes) -> None:
    """Put the file in place in one step, readable by its owner only. Raises DiskFull, StorageError."""
    try:
        with replacing(path, f".{path.name}-") as file:
            file.write(data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"{path}: no space left", path=str(path)) from error
        raise StorageError(f"{path}: cannot be written: {error.strerror}", path=str(path)) from error


@contextmanager
def replacing(path: Path, prefix: str) -> Iterator[IO[bytes]]:
    """Yield a file beside `path`, readable by its owner only, that takes its place once it is written and on the disk.

    Args:
        prefix: Of its name until then. If the caller fails, it is removed.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
