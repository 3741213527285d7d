"""Asynchronous HTTP over aiohttp; the session is made in the loop of the first call."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TypeVar

import aiohttp

from neuroforge.client.calls import Call
from neuroforge.client.decision import with_decision
from neuroforge.client.events import EventReader
from neuroforge.client.failures import error_from_response
from neuroforge.client.transport import CONNECT_TIMEOUT_S
from neuroforge.contracts.base import JsonObject
from neuroforge.errors import EngineTimeout, EngineUnavailable, NeuroForgeError, StreamInterrupted

T = TypeVar("T")
END_TIMEOUT_S = 0.05
MAX_LINE_BYTES = 4 * 1024 * 1024
"""Of one event; a line with the logprobs of many tokens is long."""
MAX_DIRECT_BYTES = 1 << 20
"""aiohttp sends longer bodies in pieces if it gets them as a file, so that the loop is not held up."""


class AsyncTransport:
    """Sends to one server; every failure leaves as a NeuroForgeError. Cancelling a call closes its connection."""

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float) -> None:
        self._url = base_url
        self._timeout_s = timeout_s
        self._headers = {"accept": "application/json", "user-agent": "neuroforge-client"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, call: Call[T], timeout_s: float | None = None) -> T:
        """As `Transport.send`."""
        try:
            async with self._request(call, timeout_s) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise self._translated(error) from error
        if response.status >= 300:
            raise error_from_response(response.status, response.headers, body)
        return with_decision(call.read(body), response.headers)

    async def stream(self, call: Call[JsonObject]) -> AsyncGenerator[JsonObject, None]:
        """As `Transport.stream`."""
        has_yielded = False
        try:
            async with self._request(call) as response:
                if response.status >= 300:
                    raise error_from_response(response.status, response.headers, await response.read())
                reader = EventReader()
                while not reader.is_over and (line := await response.content.readline()):
                    if (event := reader.feed(line)) is not None:
                        yield event
                        has_yielded = True
                reader.check_end()
                await _read_end(response)
        except (aiohttp.ClientError, OSError) as error:
            if has_yielded:
                raise StreamInterrupted(f"{self._url}: the connection broke in the middle of the answer") from error
            raise self._translated(error) from error

    def _request(self, call: Call[T], timeout_s: float | None = None) -> "aiohttp.client._RequestContextManager":
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)  # the server limits; a hidden queue here would only look like one
            self._session = aiohttp.ClientSession(
                headers=self._headers, read_bufsize=MAX_LINE_BYTES, connector=connector
            )
        payload: bytes | io.BytesIO | None = call.payload
        if isinstance(payload, bytes) and len(payload) > MAX_DIRECT_BYTES:
            payload = io.BytesIO(payload)
        limits = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=timeout_s or self._timeout_s)
        headers = {} if payload is None else {"content-type": "application/json"}
        return self._session.request(call.method, self._url + call.path, data=payload, headers=headers, timeout=limits)

    def _translated(self, error: Exception) -> NeuroForgeError:
        is_unreachable = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        if isinstance(error, TimeoutError) and not is_unreachable:
            return EngineTimeout(f"{self._url} did not answer in time", url=self._url)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return EngineUnavailable(f"nothing answers at {self._url} ({reason})", url=self._url)


async def _read_end(response: aiohttp.ClientResponse) -> None:
    """Take the end of the body, which follows the last event at once: else the connection could not be used again."""
    with suppress(TimeoutError, aiohttp.ClientError):  # the answer is whole; only the connection is not worth keeping
        async with asyncio.timeout(END_TIMEOUT_S):
            await response.content.read()
