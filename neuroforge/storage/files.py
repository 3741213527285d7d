"""Small files that are either the old ones or the new ones, whatever happens in between."""

import errno
import os
import tempfile
from pathlib import Path

from neuroforge.errors import DiskFull, StorageError


def write_whole(path: Path, data: bytes) -> None:
    """Put the file in place in one step, readable by its owner only. Raises DiskFull, StorageError."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"{path}: no space left", path=str(path)) from error
        raise StorageError(f"{path}: cannot be written: {error.strerror}", path=str(path)) from error
