"""Pieces -> one verified file: hashed while it is written, in place only when whole and right."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroforge.assets.archive import stream_member
from neuroforge.assets.disk import FreeSpace, disk_full_is_ours, require_free, sync_directory
from neuroforge.assets.failures import SourceFailed, WrongBytes
from neuroforge.contracts.assets import AssetFile

CHUNK_BYTES = 4 * 1024 * 1024
MAX_FILE_BYTES = 1024**4
"""Of a file whose size nobody stated."""


@dataclass(frozen=True)
class Piece:
    """A part of the wanted file: a member of an archive, or a whole file (member None)."""

    path: Path
    member: str | None = None


@dataclass(frozen=True)
class Digest:
    """What a file's bytes are."""

    sha256: str
    n_bytes: int


def hash_file(path: Path) -> Digest:
    """Read the whole file once."""
    digest = hashlib.sha256()
    n_bytes = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            n_bytes += len(chunk)
    return Digest(digest.hexdigest(), n_bytes)


def check_digest(digest: Digest, file: AssetFile) -> Digest:
    """Return it if it is the pinned one, or if nothing is pinned yet.

    Raises:
        WrongBytes: It is not.
    """
    if file.sha256 is not None and digest.sha256 != file.sha256:
        raise WrongBytes(file.sha256, digest.sha256)
    return digest


def move_into_place(staged: Path, target: Path, file: AssetFile) -> Digest:
    """Verify a whole downloaded file and rename it to its place.

    Raises:
        WrongBytes: The staged file was removed.
    """
    try:
        digest = check_digest(hash_file(staged), file)
    except WrongBytes:
        staged.unlink()
        raise
    _rename(staged, target)
    return digest


def join_into_place(pieces: Sequence[Piece], target: Path, file: AssetFile, staging: Path, free: FreeSpace) -> Digest:
    """Write the pieces one after another, verify, and rename to the place.

    Raises:
        WrongBytes: Not the pinned bytes; nothing is left of the joined file.
        SourceFailed: A piece is not what it should be.
        DiskFull: It would not fit.
    """
    limit = MAX_FILE_BYTES if file.n_bytes is None else file.n_bytes
    require_free(file.n_bytes or 0, staging, free)
    joined = staging / f"joined-{file.name.replace('/', '-')}"
    digest = hashlib.sha256()
    n_bytes = 0
    try:
        with disk_full_is_ours(staging, free), joined.open("wb") as stream:
            for piece in pieces:
                for chunk in _read(piece, limit - n_bytes):
                    digest.update(chunk)
                    n_bytes += len(chunk)
                    stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        found = check_digest(Digest(digest.hexdigest(), n_bytes), file)
        _rename(joined, target)
    finally:
        joined.unlink(missing_ok=True)
    return found


def link_into_place(original: Path, target: Path, file: AssetFile) -> Digest:
    """Verify a file of the user's own and link to it: it is not copied and not removed with the asset.

    Raises:
        SourceFailed: It is not there.
        WrongBytes: It is not the file that was added.
    """
    if not original.is_file():
        raise SourceFailed(f"{original}: no such file")
    digest = check_digest(hash_file(original), file)
    target.parent.mkdir(parents=True, exist_ok=True)
    link = target.with_name(f".{target.name}.{os.getpid()}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(original.absolute())
    link.replace(target)
    return digest


def _read(piece: Piece, limit: int) -> Iterator[bytes]:
    if piece.member is not None:
        yield from stream_member(piece.path, piece.member, limit)
        return
    with piece.path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _rename(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    sync_directory(target.parent)
