"""Free space and durable writes."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuroforge.errors import DiskFull

RESERVE_BYTES = 64 * 1024 * 1024
"""Left free for everybody else."""

FreeSpace = Callable[[Path], int]
"""Bytes that may still be written below a directory that exists."""


def free_bytes(directory: Path) -> int:
    """Ask the file system."""
    return shutil.disk_usage(directory).free


def require_free(needed_bytes: int, directory: Path, free_space: FreeSpace) -> None:
    """Refuse before anything is written.

    Raises:
        DiskFull: With the reserve it would not fit; says how much is missing.
    """
    free = free_space(directory)
    missing = needed_bytes + RESERVE_BYTES - free
    if needed_bytes > 0 and missing > 0:
        raise DiskFull(
            f"{directory}: {needed_bytes:,} bytes are needed (and {RESERVE_BYTES:,} in reserve), {free:,} are free; "
            f"free {missing:,} bytes, or set NEUROFORGE_HOME to a larger disk",
            needed_bytes=needed_bytes,
            free_bytes=free,
            path=str(directory),
        )


def used_bytes(directory: Path) -> int:
    """Sum the files below a directory; links count nothing, and so do files that vanish meanwhile."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            with suppress(FileNotFoundError):
                total += 0 if path.is_symlink() else path.stat().st_size
    return total


@contextmanager
def disk_full_is_ours(
    directory: Path,
    free_space: FreeSpace,
    advice: str = "What was fetched is kept: free some space and pull again",
) -> Iterator[None]:
    """Turn the system's "no space left" into DiskFull: another program can fill the disk after our check."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        free = free_space(directory)
        raise DiskFull(
            f"{directory}: the disk filled up while writing; {free:,} bytes are free. {advice}",
            needed_bytes=None,
            free_bytes=free,
            path=str(directory),
        ) from error


def sync_directory(directory: Path) -> None:
    """Make a rename in this directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a small file so that a reader sees the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    partial.unlink(missing_ok=True)
    partial.touch(mode=mode, exist_ok=False)
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    sync_directory(path.parent)
