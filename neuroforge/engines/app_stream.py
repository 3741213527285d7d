"""Answers whose client may leave: its going away is watched for while the engine works, streamed or not."""

import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from neuroforge.contracts.base import JsonObject
from neuroforge.errors import NeuroForgeError, RequestError, StreamInterrupted
from neuroforge.hangup import ClientGoneError, Watch

GONE_STATUS = 499
"""Answered to nobody: the client has left. Only access logs see it."""
_SHOWN_CONTEXT = ("n_prompt_tokens", "context_length", "model_id")
_SSE_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
T = TypeVar("T")


class EventStream(Response):
    """Server-sent events; an error before the first event is an ordinary error answer, a later one an event.

    When the client leaves, the source is closed, which frees the slot.
    """

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        self._source = source
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the source ends or the client leaves."""
        try:
            async with Watch(receive):
                await self._pump(scope, receive, send)
        except ClientGoneError:
            return

    async def _pump(self, scope: Scope, receive: Receive, send: Send) -> None:
        n_sent = 0
        try:
            async for data in self._source:
                if n_sent == 0:
                    await send({"type": "http.response.start", "status": 200, "headers": _SSE_HEADERS})
                n_sent += 1
                await _send_event(send, data)
        except NeuroForgeError as error:
            if n_sent == 0:
                await error_response(error)(scope, receive, send)
                return
            meant = StreamInterrupted(error.message) if isinstance(error, RequestError) else error
            await _send_event(send, orjson.dumps(_envelope(meant)))
        finally:
            await self._source.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def unless_gone(request: Request, work: Coroutine[Any, Any, T], encode: Callable[[T], bytes]) -> Response:
    """Return the answer of the work, which is cancelled when the client leaves before."""
    try:
        async with Watch(request.receive):
            result = await work
    except ClientGoneError:
        return Response(status_code=GONE_STATUS)
    return json_response(encode(result))


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})


def json_response(payload: bytes, status: int = 200) -> Response:
    """Return encoded JSON as an answer."""
    return Response(payload, status_code=status, media_type="application/json")


def error_response(error: NeuroForgeError) -> Response:
    """Return OpenAI's envelope, with Retry-After where another try may help."""
    response = json_response(orjson.dumps(_envelope(error)), error.http_status)
    retry_after_s = error.context.get("retry_after_s")
    if retry_after_s is not None:
        response.headers["retry-after"] = str(max(1, math.ceil(retry_after_s)))
    return response


def _envelope(error: NeuroForgeError) -> JsonObject:
    extra = {name: error.context[name] for name in _SHOWN_CONTEXT if error.context.get(name) is not None}
    param = error.context.get("param")
    return {"error": {"message": error.message, "type": error.type, "param": param, "code": error.code, **extra}}
