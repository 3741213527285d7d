"""Connections that stay open between requests, by where they lead; and the answer that comes over one of them."""

import asyncio
import ssl
from collections import defaultdict
from typing import NamedTuple

from neuroforge.engines.http1 import HttpConnection, connect

KEEPALIVE_S = 4.0
"""Shorter than uvicorn's 5 s: a connection kept here must not be closed by the server at the moment we reuse it."""


class Origin(NamedTuple):
    """Where a connection leads."""

    host: str
    port: int
    is_tls: bool


class ConnectionPool:
    """Keeps what may be used again, newest first, without a limit on how many are open. One event loop only."""

    def __init__(self) -> None:
        self._idle: defaultdict[Origin, list[HttpConnection]] = defaultdict(list)
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._is_closed = False

    async def ask(self, origin: Origin, connect_timeout_s: float, *request: bytes) -> "HttpAnswer":
        """Send a request over a connection of its own; return when the head of the answer is there.

        Raises:
            HttpLinkError: NotConnectedError, ConnectionLostError or NotHttpError.
        """
        connection = self._take(origin)
        if connection is None:
            tls = self._tls_context() if origin.is_tls else None
            connection = await connect(origin.host, origin.port, connect_timeout_s, tls)
        try:
            await connection.ask(*request)
        except BaseException:
            connection.close()
            raise
        return HttpAnswer(self, origin, connection)

    def give_back(self, origin: Origin, connection: HttpConnection) -> None:
        """Keep a connection whose answer has been read, for a while."""
        if self._is_closed:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since_s = loop.time()
        self._idle[origin].append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(KEEPALIVE_S, self._sweep)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when its answer ends."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    def _take(self, origin: Origin) -> HttpConnection | None:
        connections = self._idle.get(origin)
        if not connections:
            return None
        oldest_s = asyncio.get_running_loop().time() - KEEPALIVE_S
        while connections:
            connection = connections.pop()
            if connection.is_open and connection.idle_since_s > oldest_s:
                return connection
            connection.close()
        return None

    def _sweep(self) -> None:
        """Close what nobody came back for."""
        loop = asyncio.get_running_loop()
        oldest_s = loop.time() - KEEPALIVE_S
        for origin, connections in list(self._idle.items()):
            kept = [one for one in connections if one.is_open and one.idle_since_s > oldest_s]
            for one in connections:
                if one not in kept:
                    one.close()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweeper = loop.call_later(KEEPALIVE_S, self._sweep) if self._idle else None

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class HttpAnswer:
    """Status and headers are there, the body is still to be read. Must be read to the end or closed."""

    def __init__(self, pool: ConnectionPool, origin: Origin, connection: HttpConnection) -> None:
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._headers = connection.headers
        self._is_closed = False
        self._is_given_back = False
        self.status = connection.status

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; the last of several counts."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers}

    @property
    def at_end(self) -> bool:
        """Whether nothing more will come."""
        return self._is_given_back or self._connection.is_read

    async def read(self) -> bytes:
        """Return the whole body and give the connection back; once only.

        Raises:
            HttpLinkError: It broke off; the connection is closed, as it is when the caller is cancelled.
        """
        try:
            body = await self._connection.read()
        finally:
            self.close()
        return body

    async def read_some(self) -> bytes:
        """Return what has come since; nothing at the end.

        Raises:
            HttpLinkError: It broke off.
        """
        return b"" if self._is_given_back else await self._connection.read_some()

    def close(self) -> None:
        """Give the connection back if the answer was read to its end, else hang up. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._connection.can_be_reused:
            self._is_given_back = True
            self._pool.give_back(self._origin, self._connection)
        else:
            self._connection.close()
