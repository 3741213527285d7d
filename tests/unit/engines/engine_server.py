"""A small HTTP server on loopback that plays an engine, a proxy, or a broken one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
from aiohttp import web

from neuroforge.contracts.base import JsonObject

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EngineServer:
    """What it was sent is in `bodies`, `headers` and `peers`; what it answers is set by path."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.bodies: list[Any] = []
        self.headers: list[Mapping[str, str]] = []
        self.peers: set[Any] = set()
        self.reached = asyncio.Event()
        self.disconnected = asyncio.Event()
        self._handlers: dict[str, Handler] = {}

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def handle(self, path: str, handler: Handler) -> None:
        self._handlers[path] = handler

    def answer(self, path: str, body: JsonObject) -> None:
        self.answer_text(path, orjson.dumps(body).decode(), 200)

    def answer_text(self, path: str, text: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        async def handler(request: web.Request) -> web.Response:
            return web.Response(text=text, status=status, headers=headers)

        self.handle(path, handler)

    def answer_after_failures(self, path: str, n_failures: int, body: JsonObject) -> None:
        async def handler(request: web.Request) -> web.Response:
            if len(self.bodies) <= n_failures:
                return web.Response(text="down", status=503)
            return web.json_response(body)

        self.handle(path, handler)

    def answer_when_all_are_there(self, path: str, n_requests: int, body: JsonObject) -> None:
        everybody = asyncio.Event()

        async def handler(request: web.Request) -> web.Response:
            if len(self.bodies) == n_requests:
                everybody.set()
            await everybody.wait()
            return web.json_response(body)

        self.handle(path, handler)

    def hang(self, path: str) -> None:
        async def handler(request: web.Request) -> web.Response:
            async with self.watched():
                await asyncio.Event().wait()
            raise AssertionError("never reached")

        self.handle(path, handler)

    def break_connection(self, path: str, after: bytes = b"") -> None:
        async def handler(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            if after:
                await response.prepare(request)
                await response.write(after)
            assert request.transport is not None
            request.transport.close()
            return response

        self.handle(path, handler)

    def stream(self, path: str, *pieces: bytes | asyncio.Event, is_cut: bool = False) -> None:
        """Send the pieces in turn; an event is waited for."""

        async def handler(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            async with self.watched():
                for piece in pieces:
                    if isinstance(piece, bytes):
                        await response.write(piece)
                    else:
                        await piece.wait()
            if is_cut:
                assert request.transport is not None
                request.transport.close()
            return response

        self.handle(path, handler)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Tell when the client is there, and when it went away."""
        self.reached.set()
        try:
            yield
        except asyncio.CancelledError:
            self.disconnected.set()
            raise

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.bodies.append(orjson.loads(raw) if raw else None)
        self.headers.append(request.headers)
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        handler = self._handlers.get(request.path)
        return await handler(request) if handler else web.Response(text="no such path", status=404)
