"""What stands before vLLM's HTTP server, inside its environment:

request -> TokenGuard -> QueueLimit -> MemoryRoute -> CancelByDisconnect -> vLLM's own OpenAI app.

Travels by value, as `cluster.vllm_app` does: imports nothing of ours, and annotations stay text.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_HEADER = b"x-neuroforge-internal"
MEMORY_PATH = "/resident_bytes"
_QUEUED_PATHS = ("/chat/completions", "/completions", "/embeddings")
_ABORT_GRACE_S = 0.2
_RETRY_AFTER_S = 1


class TokenGuard:
    """Passes on only what carries the internal token: vLLM's own key check leaves about half of its routes open.

    It knows the token's SHA-256 only, so that no configuration, pickle or log of Ray holds the token.
    """

    def __init__(self, app: AsgiApp, token_sha256: str) -> None:
        self._app = app
        self._token_sha256 = token_sha256

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan events pass; HTTP without the token is a 401, a WebSocket is closed before it opens."""
        if scope["type"] == "lifespan" or self._has_token(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            message = "this address answers only to the NeuroForge gateway"
            await _send_error(send, 401, message, "authentication_error", "invalid_api_key")

    def _has_token(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name.lower() == TOKEN_HEADER]
        return len(given) == 1 and hmac.compare_digest(hashlib.sha256(given[0]).hexdigest(), self._token_sha256)


class QueueLimit:
    """Refuses generation beyond what decodes and may wait: vLLM's own queue has no end."""

    def __init__(self, app: AsgiApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._n_inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A generating request over the limit is a 429 with Retry-After; everything else passes."""
        if scope["type"] != "http" or not scope["path"].endswith(_QUEUED_PATHS):
            await self._app(scope, receive, send)
            return
        if self._n_inside >= self._limit:
            message = f"the model's queue is full ({self._limit} requests)"
            await _send_error(send, 429, message, "rate_limit_error", "model_overloaded", _RETRY_AFTER_S)
            return
        self._n_inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._n_inside -= 1


class MemoryRoute:
    """Adds GET /resident_bytes, the memory of this process and its engine: vLLM's own metric leaves the engine out."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a decimal number as text."""
        if scope["type"] == "http" and scope["path"].endswith(MEMORY_PATH):
            await _send(send, 200, b"text/plain", str(_resident_bytes()).encode())
        else:
            await self._app(scope, receive, send)


class CancelByDisconnect:
    """Lets vLLM see that the client left, before it is cancelled.

    Serve puts `http.disconnect` into the queue of `receive` and cancels the handler at once. vLLM (0.29) aborts the
    engine's work only when it reads that message: cancelled first, a request that is not streamed would be generated to
    its end for nobody.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; on cancellation give it a moment to read the message, then cancel it as well."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        task = asyncio.ensure_future(self._app(scope, receive, send))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=_ABORT_GRACE_S)
            task.cancel()
            raise


def _resident_bytes() -> int:
    import psutil

    process = psutil.Process()
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:  # ended since it was listed
            continue
    return total


async def _send_error(
    send: Send, status: int, message: str, kind: str, code: str, retry_after_s: int | None = None
) -> None:
    body = json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()
    await _send(send, status, b"application/json", body, retry_after_s)


async def _send(send: Send, status: int, content_type: bytes, body: bytes, retry_after_s: int | None = None) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
