"""One HTTP/1.1 exchange after another on one connection: bytes out, status, headers and body in.

Why not a general client: docs/decisions/083-http-to-engines.md.
"""

import asyncio
import ssl
from collections import deque
from typing import Any

import httptools

PAUSE_AT_BYTES = 256 * 1024
"""As much of a body waits here for its reader; then the sender has to wait."""
MAX_HEAD_BYTES = 64 * 1024
"""Of all header lines together: more is no server of models, but one gone mad."""
_NO_BODY = frozenset((204, 304))


class HttpLinkError(OSError):
    """The exchange failed below HTTP's own words."""


class NotConnectedError(HttpLinkError):
    """No connection came about: nothing was sent."""


class NotTrustedError(NotConnectedError):
    """The other side's certificate is not accepted; the message says why."""


class ConnectionLostError(HttpLinkError):
    """The connection ended before the answer did."""


class NotHttpError(HttpLinkError):
    """What came is no HTTP."""


class HttpConnection(asyncio.Protocol):
    """A connection of one client. `answer` is awaited once for each request, its body read before the next one."""

    def __init__(self) -> None:
        self.idle_since_s = 0.0
        """Loop time at which it was last put aside; for whoever keeps it."""
        self._transport: asyncio.Transport | None = None
        self._is_open = False
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._n_head_bytes = 0
        self._pieces: deque[bytes] = deque()
        self._n_bytes = 0
        self._status = 0
        self._has_head = False
        self._is_complete = False
        self._ends_with_connection = False
        self._can_stay = False
        self._problem: HttpLinkError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the other side may still be there."""
        return self._is_open

    @property
    def status(self) -> int:
        """Of the answer whose head has come."""
        return self._status

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Of the answer; a list of its own for each."""
        return self._headers

    @property
    def is_read(self) -> bool:
        """Whether the answer has come to its end and nothing of it waits here."""
        return self._is_complete and not self._pieces

    @property
    def can_be_reused(self) -> bool:
        """Whether another request may follow: all was sent, all has come and was read, and neither side closes."""
        if not (self._is_complete and self._can_stay and self._is_open) or self._pieces or self._waiter is not None:
            return False
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    async def ask(self, *request: bytes) -> None:
        """Send a request and return when the head of its answer is there.

        Raises:
            ConnectionLostError: It was lost before.
            NotHttpError: Something else came.
        """
        transport = self._transport
        if transport is None or not self._is_open:
            raise ConnectionLostError("the connection is closed")
        if self._has_head:
            self._begin()
        transport.writelines(request)
        while not self._has_head:
            await self._wait()

    async def read(self) -> bytes:
        """Return the rest of the body.

        Raises:
            ConnectionLostError, NotHttpError: It broke off.
        """
        while not self._is_complete:
            await self._wait()
        return self._take()

    async def read_some(self) -> bytes:
        """Return what has come since, at least one byte; nothing at the end.

        Raises:
            ConnectionLostError, NotHttpError: It broke off; what came before was returned before.
        """
        while not self._pieces:
            if self._is_complete:
                return b""
            await self._wait()
        return self._take()

    def close(self) -> None:
        """Hang up at once; whoever reads gets ConnectionLostError."""
        self._is_open = False
        if self._transport is not None:
            self._transport.abort()
        self._fail(ConnectionLostError("the connection was closed"))

    def _take(self) -> bytes:
        if self._is_paused and self._transport is not None and self._is_open:
            self._is_paused = False
            self._transport.resume_reading()
        self._n_bytes = 0
        if len(self._pieces) == 1:
            return self._pieces.popleft()
        body = b"".join(self._pieces)
        self._pieces.clear()
        return body

    async def _wait(self) -> None:
        if self._problem is not None:
            raise self._problem
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        if self._is_paused and self._transport is not None:
            # `read` wants all of it: nobody else will take the pieces.
            self._is_paused = False
            self._transport.resume_reading()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, problem: HttpLinkError) -> None:
        if not self._is_complete and self._problem is None:
            self._problem = problem
        self._wake()

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport  # type: ignore[assignment]
        self._is_open = True

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._is_complete:
            self.close()  # words nobody asked for: whatever comes next would be taken for an answer
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(NotHttpError(type(error).__name__))
            self.close()

    def eof_received(self) -> None:
        """See asyncio.Protocol."""
        if self._has_head and self._ends_with_connection:
            self._is_complete = True
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._is_open = False
        self._fail(ConnectionLostError(type(exc).__name__ if exc else "the other side closed the connection"))

    # httptools calls these

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self._n_head_bytes += len(name) + len(value)
        if self._n_head_bytes > MAX_HEAD_BYTES:
            raise NotHttpError("its head does not end")
        if not self._has_head:  # else: a trailer, or an answer that nobody asked for
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there, unless it is only an interim one."""
        status: int = self._parser.get_status_code()
        if self._is_complete:
            self._can_stay = False  # a second answer to one request
        if status < 200 or self._has_head:
            return
        self._status = status
        self._has_head = True
        self._can_stay = self._parser.should_keep_alive()
        names = {name.lower() for name, _ in self._headers}
        has_end = status in _NO_BODY or b"content-length" in names or b"transfer-encoding" in names
        self._ends_with_connection = not has_end
        self._wake()

    def on_body(self, piece: bytes) -> None:
        """A part of the body."""
        if self._is_complete:
            return
        self._pieces.append(piece)
        self._n_bytes += len(piece)
        if self._n_bytes > PAUSE_AT_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The answer's end; an interim answer's is none."""
        if self._has_head:
            self._is_complete = True
            self._wake()
        else:
            self._headers.clear()
            self._n_head_bytes = 0


async def connect(host: str, port: int, timeout_s: float | None, tls: ssl.SSLContext | None = None) -> HttpConnection:
    """Return an open connection.

    Raises:
        NotConnectedError: Refused, not found, no TLS with it, or not within `timeout_s`.
        NotTrustedError: Its certificate is for another host, out of date, or from an authority that we do not know.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(HttpConnection, host, port, ssl=tls)
    except TimeoutError as error:
        raise NotConnectedError("not within the time") from error
    except ssl.SSLCertVerificationError as error:
        raise NotTrustedError(error.verify_message) from error
    except (OSError, UnicodeError) as error:
        raise NotConnectedError(type(error).__name__) from error
    return connection
