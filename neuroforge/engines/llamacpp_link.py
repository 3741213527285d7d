"""Connections to llama.cpp's server in this process, the next one opened ahead of its request.

Each carries one request: llama.cpp closes them after a stream without a word. So what a request saves is the wait for
the connection, and for the thread that llama.cpp gives it.
"""

import asyncio
from urllib.parse import urlsplit

from neuroforge.engines.http1 import ConnectionLostError, HttpConnection, HttpLinkError, connect

CONNECT_TIMEOUT_S = 5.0
SPARE_FOR_S = 3.0
"""llama.cpp hangs up on a connection that asks nothing for 5 s. Serve asks for the health every 2 s, so that the spare
one of a replica that serves is hardly ever older."""


class LlamaCppLink:
    """Opens connections and keeps one spare. One event loop only."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        """`address` is http://HOST:PORT."""
        url = urlsplit(address)
        self._host, self._port = url.hostname or "", url.port or 0
        lines = {"Host": url.netloc, **headers, "Connection": "close"}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("ascii")
        self._spare: HttpConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._is_closed = False

    async def ask(self, method: str, path: str, payload: bytes) -> HttpConnection:
        """Send a request; return its connection when the head of the answer is there. The caller closes it.

        Raises:
            HttpLinkError: No connection, or it was lost.
        """
        length = f"Content-Length: {len(payload)}\r\n" if method != "GET" else ""
        head = f"{method} {path} HTTP/1.1\r\n".encode() + self._head + f"{length}\r\n".encode()
        spare = self._take()
        if spare is not None:
            try:
                return await _asked(spare, head, payload)
            except ConnectionLostError:
                pass  # its end had not reached us yet: llama.cpp never saw the request
        return await _asked(await connect(self._host, self._port, CONNECT_TIMEOUT_S), head, payload)

    def prepare(self) -> None:
        """Open a connection for the next request, unless one is there."""
        if self._is_closed or self._opening is not None or (self._spare is not None and self._is_fresh(self._spare)):
            return
        self._opening = asyncio.create_task(self._open())

    def close(self) -> None:
        """Close the spare one; later requests open their own."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _take(self) -> HttpConnection | None:
        spare, self._spare = self._spare, None
        if spare is None or self._is_fresh(spare):
            return spare
        spare.close()
        return None

    def _is_fresh(self, spare: HttpConnection) -> bool:
        return spare.is_open and asyncio.get_running_loop().time() < spare.idle_since_s + SPARE_FOR_S

    async def _open(self) -> None:
        try:
            connection = await connect(self._host, self._port, CONNECT_TIMEOUT_S)
        except HttpLinkError:
            return  # the next request will see for itself
        finally:
            self._opening = None
        if self._is_closed:
            connection.close()
            return
        old, self._spare = self._spare, connection
        connection.idle_since_s = asyncio.get_running_loop().time()
        if old is not None:
            old.close()


async def _asked(connection: HttpConnection, *request: bytes) -> HttpConnection:
    try:
        await connection.ask(*request)
    except BaseException:
        connection.close()
        raise
    return connection
