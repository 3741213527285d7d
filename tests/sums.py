"""An OpenAI-compatible server that adds: a model that is right, without weights, for tests that compare two models."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SUM = re.compile(r"(\d+) \+ (\d+)")
USAGE = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}


class _Adder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": "adder", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        match = _SUM.search(body["messages"][-1]["content"])
        answer = str(int(match[1]) + int(match[2])) if match else "I only add."
        if body.get("stream"):
            self._stream(answer)
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        self._send({**_head("chat.completion"), "choices": [choice], "usage": USAGE})

    def _stream(self, answer: str) -> None:
        head = _head("chat.completion.chunk")
        delta = {"role": "assistant", "content": answer}
        events: list[Any] = [
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {**head, "choices": [], "usage": USAGE},
        ]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self._answer("text/event-stream", text.encode())

    def _send(self, body: Any) -> None:
        self._answer("application/json", json.dumps(body).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def _head(kind: str) -> dict[str, Any]:
    return {"id": "sum-1", "object": kind, "created": 1, "model": "adder"}


@contextmanager
def adding_server() -> Iterator[str]:
    """Yield the base URL, with /v1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Adder)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
