"""A model application that answers at once with a fixed reply, and a bare ingress that does nothing but ask it.

Both are Starlette behind Serve's proxy, as the gateway and its models are, so that what differs is the gateway itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
from ray import serve
from ray.serve.schema import LoggingConfig
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

FIXED_ROUTE, BARE_ROUTE = "/fixed", "/bare"
CHAT = "/v1/chat/completions"
QUIET = LoggingConfig(enable_access_log=False)
CHUNK_S = 1.0
"""Between two chunks of a stream: slow, so that many can be open at once."""
_USAGE = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
_HEAD = {"id": "chatcmpl-fixed", "created": 1, "model": "fixed"}
_MESSAGE = {"role": "assistant", "content": "This is always said."}
REPLY = {
    **_HEAD,
    "object": "chat.completion",
    "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop", "logprobs": None}],
    "usage": _USAGE,
}


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One chunk of a chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({**_HEAD, "object": "chat.completion.chunk", "choices": [choice]})


def _event(body: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def stream_reply(n_chunks: int) -> AsyncIterator[bytes]:
    """So many chunks, CHUNK_S apart."""
    yield chunk({"role": "assistant", "content": ""})
    for _ in range(n_chunks):
        await asyncio.sleep(CHUNK_S)
        yield chunk({"content": "word "})
    yield chunk({}, "stop")
    yield _event({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    yield b"data: [DONE]\n\n"


async def answer_chat(request: Request) -> Response:
    """The fixed reply, or a slow stream of `max_tokens` chunks."""
    body = await request.json()
    if body.get("stream"):
        return StreamingResponse(stream_reply(body.get("max_tokens", 4)), media_type="text/event-stream")
    return JSONResponse(REPLY)


async def list_models(_request: Request) -> Response:
    """What the gateway asks to see whether an upstream is there."""
    return JSONResponse({"object": "list", "data": [{"id": "fixed", "object": "model", "created": 1, "owned_by": "x"}]})


@serve.ingress()
class FixedReplica:
    """The model."""

    def __init__(self) -> None:
        self._app = Starlette(
            routes=[Route(CHAT, answer_chat, methods=["POST"]), Route("/v1/models", list_models, methods=["GET"])]
        )

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return self._app


@serve.ingress()
class BareReplica:
    """The gateway's place in the bare pair: body in, HTTP through the proxy, body out."""

    def __init__(self, fixed_url: str) -> None:
        self._fixed_url = fixed_url
        self._session: aiohttp.ClientSession | None = None
        self._app = Starlette(routes=[Route(CHAT, self.forward, methods=["POST"])])

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return self._app

    async def forward(self, request: Request) -> Response:
        """Pass a request on."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        headers = {"content-type": "application/json"}
        async with self._session.post(self._fixed_url, data=await request.body(), headers=headers) as answer:
            return Response(await answer.read(), media_type="application/json")


def deploy(base_url: str) -> None:
    """Put both beside the gateway that answers at `base_url`; returns when they run."""
    options = {"ray_actor_options": {"num_cpus": 0.1}, "max_ongoing_requests": 20_000, "logging_config": QUIET}
    fixed = serve.deployment(FixedReplica, name="fixed", **options).bind()
    serve.run(fixed, name="bench-fixed", route_prefix=FIXED_ROUTE)
    bare = serve.deployment(BareReplica, name="bare", **options).bind(base_url + FIXED_ROUTE + CHAT)
    serve.run(bare, name="bench-bare", route_prefix=BARE_ROUTE)
