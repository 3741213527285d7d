"""One named member of an untrusted archive, as a stream: nothing is unpacked to disk, nothing is executed."""

import fnmatch
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from neuroforge.assets.failures import SourceFailed

CHUNK_BYTES = 1024 * 1024
MAX_ENTRIES = 100_000
MAX_HEADER_BYTES = 1024 * 1024
MAX_UNPACKED_BYTES = 16 * 1024**3
_EXTENDED_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"K")
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    OSError,
    struct.error,
)


def stream_member(archive: Path, pattern: str, max_bytes: int) -> Iterator[bytes]:
    """Yield the content of the one file that matches the glob; `*` also matches slashes.

    Args:
        archive: A zip (wheel) or a gzip-compressed tar (sdist, npm).
        max_bytes: More than this is refused: a small archive can unpack to any size.
    Raises:
        SourceFailed: No or several matches, not a plain file, too large, encrypted or damaged. A second match in a tar
            shows only after the first was yielded: use what came only when the iteration has ended well.
    """
    try:
        stream = _from_zip(archive, pattern) if zipfile.is_zipfile(archive) else _from_tar(archive, pattern)
        size = 0
        for chunk in stream:
            size += len(chunk)
            if size > max_bytes:
                raise SourceFailed(f"{archive.name}: {pattern} is larger than {max_bytes:,} bytes")
            yield chunk
    except _DAMAGE as error:
        raise SourceFailed(f"{archive.name}: the archive is damaged ({type(error).__name__})") from error


def _from_zip(archive: Path, pattern: str) -> Iterator[bytes]:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        if len(infos) > MAX_ENTRIES:
            raise SourceFailed(f"{archive.name}: more than {MAX_ENTRIES:,} members")
        matches = [
            info for info in infos if not info.filename.endswith("/") and fnmatch.fnmatchcase(info.filename, pattern)
        ]
        _require_one(len(matches), archive, pattern)
        info = matches[0]
        is_encrypted = bool(info.flag_bits & 0x1)
        if is_encrypted or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SourceFailed(f"{archive.name}: {pattern} is encrypted or packed in an unusual way")
        with opened.open(info) as stream:
            yield from _chunks(stream)


def _from_tar(archive: Path, pattern: str) -> Iterator[bytes]:
    n_matches = 0
    with (
        gzip.open(archive, "rb") as unpacked,
        tarfile.open(fileobj=cast(IO[bytes], _Bounded(unpacked)), mode="r|", tarinfo=_BoundedHeader) as opened,
    ):
        for n_seen, info in enumerate(opened):
            if n_seen >= MAX_ENTRIES:
                raise SourceFailed(f"{archive.name}: more than {MAX_ENTRIES:,} members")
            if not fnmatch.fnmatchcase(info.name, pattern):
                continue
            n_matches += 1
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or n_matches > 1:
                break
            stream = opened.extractfile(info)
            if stream is not None:
                yield from _chunks(stream)
        else:
            return _require_one(n_matches, archive, pattern)
    if n_matches > 1:
        return _require_one(n_matches, archive, pattern)
    raise SourceFailed(f"{archive.name}: {pattern} is not a plain file")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _require_one(n_matches: int, archive: Path, pattern: str) -> None:
    if n_matches != 1:
        raise SourceFailed(f"{archive.name}: {'no' if n_matches == 0 else 'more than one'} member matches {pattern}")


class _Bounded:
    """Ends a decompression bomb: no more than MAX_UNPACKED_BYTES come out of one archive."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MAX_UNPACKED_BYTES

    def read(self, size: int) -> bytes:
        """Read as a file does."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("unpacks to more than is allowed")
        return data


class _BoundedHeader(tarfile.TarInfo):
    """Refuses extended headers of absurd size, which tarfile would read into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_BoundedHeader":
        """Parse one header block."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTENDED_HEADERS and info.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header is larger than is allowed")
        return info
