"""Blocking HTTP over the standard library, with kept-alive connections; safe to use from many threads."""

import http.client
import queue
import select
import socket
from collections.abc import Generator
from typing import TypeVar
from urllib.parse import urlsplit

from neuroforge.client.calls import Call
from neuroforge.client.decision import with_decision
from neuroforge.client.events import EventReader
from neuroforge.client.failures import error_from_response
from neuroforge.contracts.base import JsonObject
from neuroforge.errors import EngineTimeout, EngineUnavailable, NeuroForgeError, StreamInterrupted

T = TypeVar("T")
CONNECT_TIMEOUT_S = 5.0
MAX_IDLE = 16
"""Connections kept open between requests; more are closed after use."""


class Transport:
    """Sends to one server; every failure leaves as a NeuroForgeError."""

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float) -> None:
        parts = urlsplit(base_url)
        self._url = base_url
        self._is_tls = parts.scheme == "https"
        self._host, self._port, self._prefix = parts.hostname or "", parts.port, parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = {"accept": "application/json", "user-agent": "neuroforge-client"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue(MAX_IDLE)

    def close(self) -> None:
        """Close idle connections; requests in flight go on."""
        while (connection := self._take_idle()) is not None:
            connection.close()

    def send(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Return what a 2xx answer says.

        Raises:
            NeuroForgeError: What the server named; EngineUnavailable and EngineTimeout when it said nothing.
        """
        connection = self._connection(timeout_s)
        is_reusable = False
        try:
            response = self._exchange(connection, call)
            body = response.read()
            is_reusable = not response.will_close
        except (OSError, http.client.HTTPException) as error:
            raise self._translated(error) from error
        finally:
            self._put_away(connection, is_reusable)
        headers = dict(response.getheaders())
        if response.status >= 300:
            raise error_from_response(response.status, headers, body)
        return with_decision(call.read(body), headers)

    def stream(self, call: Call[JsonObject]) -> Generator[JsonObject, None, None]:
        """Yield the events of a server-sent stream; a caller that stops early closes the connection."""
        connection = self._connection()
        has_yielded = False
        try:
            response = self._exchange(connection, call)
            if response.status >= 300:
                raise error_from_response(response.status, dict(response.getheaders()), response.read())
            reader = EventReader()
            while not reader.is_over and (line := response.readline()):
                if (event := reader.feed(line)) is not None:
                    yield event
                    has_yielded = True
            reader.check_end()
        except (OSError, http.client.HTTPException) as error:
            if has_yielded:
                raise StreamInterrupted(f"{self._url}: the connection broke in the middle of the answer") from error
            raise self._translated(error) from error
        finally:
            connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, call: Call[T]) -> http.client.HTTPResponse:
        payload = call.payload
        headers = self._headers if payload is None else {**self._headers, "content-type": "application/json"}
        connection.request(call.method, self._prefix + call.path, body=payload, headers=headers)
        return connection.getresponse()

    def _connection(self, timeout_s: float | None = None) -> http.client.HTTPConnection:
        connection = self._reused() or self._opened()
        connection.sock.settimeout(timeout_s or self._timeout_s)
        return connection

    def _reused(self) -> http.client.HTTPConnection | None:
        while (idle := self._take_idle()) is not None:
            if idle.sock is not None and not _was_closed_by_peer(idle.sock):
                return idle
            idle.close()
        return None

    def _opened(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise self._unreachable(error) from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _take_idle(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return None

    def _put_away(self, connection: http.client.HTTPConnection, is_reusable: bool) -> None:
        if is_reusable:
            try:
                self._idle.put_nowait(connection)
            except queue.Full:
                connection.close()
        else:
            connection.close()

    def _translated(self, error: Exception) -> NeuroForgeError:
        if isinstance(error, TimeoutError):
            return EngineTimeout(f"{self._url} did not answer in time", url=self._url)
        return self._unreachable(error)

    def _unreachable(self, error: Exception) -> NeuroForgeError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return EngineUnavailable(f"nothing answers at {self._url} ({reason})", url=self._url)


def _was_closed_by_peer(sock: socket.socket) -> bool:
    # An idle connection has nothing to read; if it has, that is the peer's goodbye.
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
