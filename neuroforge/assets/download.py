"""One URL -> one file in staging: resumed after an interruption, retried while it makes progress."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import requests

from neuroforge.assets.disk import FreeSpace, disk_full_is_ours, free_bytes, require_free
from neuroforge.assets.failures import SourceFailed, redact_url
from neuroforge.assets.progress import Meter

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
MAX_STALLED_ATTEMPTS = 4
CHUNK_BYTES = 256 * 1024
MAX_PAGE_BYTES = 32 * 1024 * 1024
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Download:
    """What to fetch, and where to."""

    url: str
    target: Path
    part: str
    """Its name in the progress."""
    n_bytes: int | None = None
    """What the source must offer; None = unknown."""
    is_pinned: bool = True
    """Whether a hash will judge the result: if not, a rest is only appended to a part of the same version."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Downloader:
    """Fetches for one pull; remembers which hosts did not answer, so that each is waited for only once."""

    def __init__(
        self,
        session: requests.Session,
        stop: threading.Event,
        free_space: FreeSpace = free_bytes,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.stop = stop
        self.free_space = free_space
        self._session = session
        self._sleep = sleep
        self._unreachable: dict[str, str] = {}
        self._guard = threading.Lock()
        self._target_locks: dict[Path, threading.Lock] = {}

    def fetch(self, download: Download, meter: Meter) -> Path:
        """Return the complete file; a finished one is not fetched again. Several threads may ask for the same.

        Raises:
            SourceFailed: Refused, unreachable, stopped, or of another size; what came in stays for the next time.
            DiskFull: It would not fit.
        """
        parts = urlsplit(download.url)
        if parts.scheme == "file":
            return _local_file(unquote(parts.path))
        with self._guard:
            lock = self._target_locks.setdefault(download.target, threading.Lock())
        with lock:
            meter.expect(download.part, download.n_bytes)
            if download.target.is_file():
                size = download.target.stat().st_size
                meter.expect(download.part, size)
                meter.reach(download.part, size)
                return download.target
            download.target.parent.mkdir(parents=True, exist_ok=True)
            self._fetch_with_retries(download, meter)
            return download.target

    def read_page(self, url: str, headers: Mapping[str, str]) -> tuple[str, bytes]:
        """Return (content type, body) of a small document such as an index page.

        Raises:
            SourceFailed: Refused, unreachable or larger than 32 MiB.
        """
        try:
            with self._open(url, headers) as response:
                self._require_ok(response, url)
                return response.headers.get("content-type", ""), b"".join(_limited(response, MAX_PAGE_BYTES, url))
        except (requests.RequestException, _Again) as error:
            raise SourceFailed(f"{redact_url(url)}: {_reason(error)}") from error

    def _fetch_with_retries(self, download: Download, meter: Meter) -> None:
        partial = _partial(download)
        n_stalled = 0
        while True:
            size_before = partial.stat().st_size if partial.is_file() else 0
            try:
                self._fetch_rest(download, partial, meter)
            except (requests.RequestException, _Again) as error:
                has_grown = partial.is_file() and partial.stat().st_size > size_before
                n_stalled = 0 if has_grown else n_stalled + 1
                if n_stalled >= MAX_STALLED_ATTEMPTS:
                    raise SourceFailed(f"{redact_url(download.url)}: {_reason(error)}") from error
                self._sleep(0.5 * 2**n_stalled)
            else:
                partial.replace(download.target)
                _validator_file(download).unlink(missing_ok=True)
                return

    def _fetch_rest(self, download: Download, partial: Path, meter: Meter) -> None:
        offset = partial.stat().st_size if partial.is_file() else 0
        headers = dict(download.headers)
        validator = _read_validator(download)
        if offset and (download.is_pinned or validator):
            headers["Range"] = f"bytes={offset}-"
            if validator:
                headers["If-Range"] = validator
        response = self._open(download.url, headers)
        with response:
            if response.status_code == 416:
                partial.unlink()
                raise _Again("the server has fewer bytes than were kept; starting over")
            self._require_ok(response, download.url)
            offset = offset if _continues(response, offset) else 0
            total = _total_bytes(response, offset)
            if download.n_bytes is not None and total is not None and total != download.n_bytes:
                raise SourceFailed(f"{redact_url(download.url)}: offers {total:,} bytes, not {download.n_bytes:,}")
            require_free((total or download.n_bytes or 0) - offset, partial.parent, self.free_space)
            meter.expect(download.part, total or download.n_bytes)
            _write_validator(download, response)
            with (
                disk_full_is_ours(partial.parent, self.free_space),
                partial.open("r+b" if offset else "wb") as stream,
            ):
                stream.seek(offset)
                stream.truncate()
                self._copy(response, stream, download, meter)
            if total is not None and partial.stat().st_size < total:
                raise _Again(f"the connection ended after {partial.stat().st_size:,} of {total:,} bytes")

    def _copy(self, response: requests.Response, stream: IO[bytes], download: Download, meter: Meter) -> None:
        for chunk in response.iter_content(CHUNK_BYTES):
            if self.stop.is_set():
                raise SourceFailed("stopped")
            stream.write(chunk)
            if download.n_bytes is not None and stream.tell() > download.n_bytes:
                raise SourceFailed(f"{redact_url(download.url)}: sends more than {download.n_bytes:,} bytes")
            meter.reach(download.part, stream.tell())
        stream.flush()
        os.fsync(stream.fileno())

    def _open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise SourceFailed(f"{redact_url(url)}: only http and https are fetched")
        host = parts.netloc.rpartition("@")[2]
        if (reason := self._unreachable.get(host)) is not None:
            raise SourceFailed(reason)
        sent = {"Accept-Encoding": "identity", **headers}
        try:
            return self._session.get(url, headers=sent, stream=True, timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S))
        except requests.ReadTimeout:
            raise
        except (requests.ConnectionError, requests.exceptions.InvalidURL) as error:
            if _is_reset(error):
                raise
            reason = f"{parts.scheme}://{host}: {_reason(error)}"
            self._unreachable[host] = reason
            raise SourceFailed(reason) from error

    @staticmethod
    def _require_ok(response: requests.Response, url: str) -> None:
        if response.status_code in _RETRYABLE:
            raise _Again(f"the server answered {response.status_code}")
        if response.status_code not in (200, 206):
            hint = " (credentials?)" if response.status_code in (401, 403) else ""
            raise SourceFailed(f"{redact_url(url)}: the server answered {response.status_code}{hint}")


class _Again(Exception):
    """Worth another attempt."""


def _local_file(path: str) -> Path:
    local = Path(path)
    if not local.is_file():
        raise SourceFailed(f"{path}: no such file")
    return local


def _partial(download: Download) -> Path:
    return download.target.with_name(download.target.name + ".part")


def _validator_file(download: Download) -> Path:
    return download.target.with_name(download.target.name + ".version")


def _read_validator(download: Download) -> str | None:
    path = _validator_file(download)
    return path.read_text(encoding="latin-1") if path.is_file() else None


def _write_validator(download: Download, response: requests.Response) -> None:
    etag = response.headers.get("etag", "")
    strong = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified", "")
    if strong:
        _validator_file(download).write_text(strong, encoding="latin-1")
    else:
        _validator_file(download).unlink(missing_ok=True)


def _continues(response: requests.Response, offset: int) -> bool:
    if response.status_code != 206:
        return False
    if not response.headers.get("content-range", "").startswith(f"bytes {offset}-"):
        raise _Again("the server sent another range than was asked for")
    return True


def _total_bytes(response: requests.Response, offset: int) -> int | None:
    if "content-encoding" in response.headers:
        return None
    length = response.headers.get("content-length", "")
    return offset + int(length) if length.isascii() and length.isdigit() else None


def _limited(response: requests.Response, limit: int, url: str) -> list[bytes]:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise SourceFailed(f"{redact_url(url)}: the page is larger than {limit:,} bytes")
        chunks.append(chunk)
    return chunks


def _is_reset(error: Exception) -> bool:
    """Whether a host that does answer dropped this one connection."""
    text = str(error)
    return "Connection aborted" in text or "reset by peer" in text


def _reason(error: Exception) -> str:
    """Say it in a few words: the library's own texts repeat the URL, which may hold a secret."""
    if isinstance(error, _Again):
        return str(error)
    text = str(error)
    known = {
        "Name or service not known": "host name not found",
        "name resolution": "host name not found",
        "nodename nor servname": "host name not found",
        "Connection refused": "connection refused",
        "timed out": "no answer in time",
        "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted",
        "Connection aborted": "the connection was dropped",
        "IncompleteRead": "the connection was dropped",
    }
    return next((words for mark, words in known.items() if mark in text), type(error).__name__)
