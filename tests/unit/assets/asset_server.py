"""A real HTTP server on loopback with Range, ETags, and connections that break where a test says so."""

import contextlib
import io
import tarfile
import threading
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Resource:
    """What one path answers."""

    body: bytes = b""
    content_type: str = "application/octet-stream"
    etag: str | None = None
    statuses: list[int] = field(default_factory=list)
    """Answered first, one a request."""
    breaks_after: list[int] = field(default_factory=list)
    """The first requests lose their connection after so many bytes."""
    has_ranges: bool = True
    gate: threading.Event | None = None
    """Waited for after `pauses_after` bytes of the body."""
    pauses_after: int = 0


class AssetServer:
    """Serves `resources`; remembers the Range of each request."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.ranges: dict[str, list[str | None]] = defaultdict(list)
        self.headers: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, path: str, body: bytes, **options: Any) -> Resource:
        self.resources[path] = Resource(body, **options)
        return self.resources[path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        asked = handler.headers.get("Range")
        self.ranges[path].append(asked)
        self.headers[path] = dict(handler.headers.items())
        resource = self.resources.get(path)
        if resource is None or resource.statuses:
            handler.send_error(resource.statuses.pop(0) if resource else 404)
            return
        first = self._first_byte(resource, asked, handler.headers.get("If-Range"))
        body = resource.body[first:]
        if first >= len(resource.body) > 0:
            handler.send_error(416)
            return
        handler.send_response(206 if first else 200)
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{len(resource.body) - 1}/{len(resource.body)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Type", resource.content_type)
        if resource.etag:
            handler.send_header("ETag", resource.etag)
        handler.end_headers()
        if resource.breaks_after:
            body = body[: resource.breaks_after.pop(0)]
        if resource.gate is not None:
            handler.wfile.write(body[: resource.pauses_after])
            body = body[resource.pauses_after :]
            resource.gate.wait(10)
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(body)

    @staticmethod
    def _first_byte(resource: Resource, asked: str | None, if_range: str | None) -> int:
        if asked is None or not resource.has_ranges or if_range not in (None, resource.etag):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def make_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def make_tgz(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
