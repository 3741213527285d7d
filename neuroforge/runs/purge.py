"""Texts in the directory of a run: found, and deleted while nobody works there."""

import logging
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)


def texts_of(directory: Path, kept: frozenset[str]) -> list[Path]:
    """Return all that is in the directory but the names that are kept."""
    return [one for one in sorted(directory.iterdir()) if one.name not in kept]


def purge_texts(directory: Path, kept: frozenset[str], lock: FileLock, before_s: float | None) -> bool:
    """Delete all but the names that are kept; return whether there was something, and it went.

    A directory is left alone while another process holds its lock, or where something was written since `before_s`
    (Unix time; None = whatever its age).
    """
    texts = texts_of(directory, kept)
    if not texts or not all(is_older(one, before_s) for one in texts):
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("a run that goes on was not purged", extra={"run_id": directory.name})
        return False
    try:
        for one in texts:
            if one.is_dir():
                shutil.rmtree(one)
            else:
                one.unlink(missing_ok=True)
    finally:
        lock.release()
    return True


def is_older(path: Path, before_s: float | None) -> bool:
    """Whether nothing in it was written since."""
    if before_s is None:
        return True
    files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    return all(one.stat().st_mtime < before_s for one in files)
