"""A gateway that answers what a test tells it to, over real HTTP on loopback."""

import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT = "/v1/chat/completions"
STATUS = {
    "version": "0.1.0",
    "replica_id": "r1",
    "uptime_s": 12.0,
    "is_ready": True,
    "n_in_flight": 1,
    "n_audit_waiting": 0,
    "n_audit_dropped": 0,
    "n_keys": 0,
}
MODEL = {"id": "small", "engine": "llamacpp", "state": "ready", "n_replicas": 1}


@dataclass(frozen=True)
class Answer:
    """One prepared answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[bytes] | None = None
    """Of a stream; sent one after another, chunked."""
    ends_cleanly: bool = True
    """Else the connection is cut after the last chunk."""
    waits_for: threading.Event | None = None
    """Sends nothing more after the first chunk until this is set."""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Counts the client's connections."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Loopback:
    """Prepared answers by method and path; the last of several is repeated."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.received: list[Received] = []
        self.hung_up = threading.Event()
        """Set when a client closes a stream before its end."""
        self.url = ""

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        self.answers[(method, path)] = list(answers)

    def answer_json(self, method: str, path: str, body: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer(method, path, Answer(status, json.dumps(body).encode(), named))

    def stream(self, path: str, *lines: str, **options: Any) -> None:
        self.answer("POST", path, Answer(chunks=[line.encode() for line in lines], **options))

    def next_answer(self, method: str, path: str) -> Answer:
        prepared = self.answers.get((method, path.partition("?")[0]))
        if prepared is None:
            return Answer(404, b'{"error": {"message": "no such route", "code": "not_found"}}')
        return prepared.pop(0) if len(prepared) > 1 else prepared[0]


def data(event: Any) -> str:
    """One server-sent event."""
    return f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n"


def chunk(text: str, **more: Any) -> dict[str, Any]:
    """One chunk of a chat stream."""
    return {"choices": [{"index": 0, "delta": {"content": text}}], **more}


def envelope(code: str, message: str = "no", **more: Any) -> dict[str, Any]:
    """OpenAI's error body."""
    return {"error": {"message": message, "type": "x", "param": None, "code": code, **more}}


class _QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that hung up: the words would land in whatever test captures stderr by then."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Serve until the test ends."""
    state = Loopback()
    server = _QuietServer(("127.0.0.1", 0), _handler_for(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_for(state: Loopback) -> type[BaseHTTPRequestHandler]:
    n_connections = iter(range(1, 1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.number = next(n_connections)

        def _serve(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            state.received.append(Received(self.command, self.path, headers, body, self.number))
            answer = state.next_answer(self.command, self.path)
            if answer.chunks is None:
                self._send_whole(answer)
            else:
                self._send_stream(answer)

        def _send_whole(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def _send_stream(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for number, chunk in enumerate(answer.chunks or ()):
                if number == 1 and answer.waits_for is not None:
                    self._wait_for_hang_up(answer.waits_for)
                    return
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if answer.ends_cleanly:
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.close_connection = True

        def _wait_for_hang_up(self, limit: threading.Event) -> None:
            self.connection.settimeout(0.05)
            while not limit.is_set():
                try:
                    if self.connection.recv(1) == b"":
                        state.hung_up.set()
                        break
                except TimeoutError:
                    continue
                except OSError:
                    state.hung_up.set()
                    break
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler
