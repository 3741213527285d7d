"""One kept-alive connection, read without an HTTP library: what is measured is the server, not the client's Python."""

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

END_OF_BODY = b"0\r\n\r\n"
FIRST_TEXT = b'"delta":{"content":"'


class RawStream:
    """Sends the same request again and again."""

    def __init__(self, url: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        payload = json.dumps(body).encode()
        lines = {"host": address.netloc, "content-type": "application/json", "content-length": str(len(payload))}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
        self._request = f"POST {address.path} HTTP/1.1\r\n{head}\r\n".encode() + payload

    def first_s(self) -> float:
        """Ask, read to the end, and return when the first text came."""
        started_s, found_s, received = time.perf_counter(), -1.0, b""
        self._socket.sendall(self._request)
        while not received.endswith(END_OF_BODY):
            piece = self._socket.recv(65536)
            if not piece:
                raise RuntimeError(f"the connection was closed after {received[:200]!r}")
            received += piece
            if found_s < 0 and FIRST_TEXT in received:
                found_s = time.perf_counter() - started_s
        if found_s < 0:
            raise RuntimeError(f"no text in {received[:200]!r}")
        return found_s

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
