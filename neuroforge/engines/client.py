"""The one HTTP client to every kind of engine. On the hot path of each request: bytes in, one decode, no models."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import EngineKind, EngineStats, ModelEndpoint
from neuroforge.contracts.ports_engines import EngineDialect, PostJson
from neuroforge.engines.chunks import ChunkReader
from neuroforge.engines.retries import Backoff
from neuroforge.engines.transport import HttpTransport, Target
from neuroforge.errors import EngineError, EngineTimeout, EngineUnavailable, UnsupportedParameter

T = TypeVar("T")
SIDE_TIMEOUT_S = 60.0
"""For counting tokens, whose contract carries no deadline."""
STATS_TIMEOUT_S = 5.0


class HttpEngineClient:
    """EngineClient over HTTP. Retries only upstreams: of our own engines the orchestrator knows state and replicas."""

    def __init__(
        self,
        internal_token: str | None,
        dialect_by_engine: Mapping[EngineKind, EngineDialect],
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`internal_token` goes to our own engines only, never to an upstream."""
        self._transport = HttpTransport(internal_token)
        self._dialect_by_engine = dict(dialect_by_engine)
        self._backoff = backoff or Backoff()
        self._sleep = sleep

    async def complete(self, endpoint: ModelEndpoint, request: EngineRequest) -> JsonObject:
        """As EngineClient.complete."""
        target = self._transport.target(endpoint)
        body = _engine_body(endpoint, request, is_stream=False)
        payload = orjson.dumps(body)
        path = target.path(f"/{request.route}")
        headers = _request_headers(request)

        async def attempt() -> bytes:
            response = await self._transport.open(target, path, payload, headers, body)
            return await self._transport.read(target, response)

        raw = await self._within(request.deadline_s, target, self._retried(endpoint, attempt))
        return _decode(target, raw)

    async def stream(self, endpoint: ModelEndpoint, request: EngineRequest) -> AsyncGenerator[JsonObject, None]:
        """As EngineClient.stream; closing the iterator closes the connection unless the answer was read to its end."""
        target = self._transport.target(endpoint)
        body = _engine_body(endpoint, request, is_stream=True)
        payload = orjson.dumps(body)
        path = target.path(f"/{request.route}")
        deadline_at_s = asyncio.get_running_loop().time() + request.deadline_s
        headers = _request_headers(request)

        async def attempt() -> tuple[ChunkReader, JsonObject | None]:
            response = await self._transport.open(target, path, payload, headers, body)
            reader = ChunkReader(target.model_id, response, deadline_at_s, body)
            try:
                return reader, await reader.next_chunk()
            except BaseException:
                reader.close()
                raise

        reader, chunk = await self._within(request.deadline_s, target, self._retried(endpoint, attempt))
        try:
            while chunk is not None:
                yield chunk
                chunk = await reader.next_chunk()
        finally:
            reader.close()

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText) -> TokenCount:
        """As EngineClient.count_tokens."""
        target = self._transport.target(endpoint)
        call = self._dialect(endpoint).count_tokens(endpoint, prompt, self._poster(target))
        return await self._within(SIDE_TIMEOUT_S, target, call)

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest) -> LabelLogprobs:
        """As EngineClient.label_logprobs."""
        target = self._transport.target(endpoint)
        call = self._dialect(endpoint).label_logprobs(endpoint, request, self._poster(target))
        return await self._within(request.deadline_s, target, call)

    async def stats(self, endpoint: ModelEndpoint) -> EngineStats:
        """As EngineClient.stats."""
        target = self._transport.target(endpoint)

        async def get_text(path: str) -> str:
            return await self._get_text(target, path, is_under_root=True)

        return await self._within(STATS_TIMEOUT_S, target, self._dialect(endpoint).stats(endpoint, get_text))

    async def check(self, endpoint: ModelEndpoint) -> None:
        """Return when the endpoint lists its models, which every OpenAI-compatible server does.

        Raises:
            EngineError: Its family says why the endpoint cannot be used.
        """
        target = self._transport.target(endpoint)
        await self._within(STATS_TIMEOUT_S, target, self._get_text(target, "/models"))

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    def _dialect(self, endpoint: ModelEndpoint) -> EngineDialect:
        dialect = self._dialect_by_engine.get(endpoint.engine)
        if dialect is None:
            raise UnsupportedParameter(
                f"{endpoint.model_id}: engine {endpoint.engine.value} offers no such call here",
                param="model",
                model_id=endpoint.model_id,
            )
        return dialect

    def _poster(self, target: Target) -> PostJson:
        async def post(path: str, body: JsonObject) -> JsonObject:
            where = target.path(path, is_under_root=True)
            response = await self._transport.open(target, where, orjson.dumps(body), {}, body)
            return _decode(target, await self._transport.read(target, response))

        return post

    async def _get_text(self, target: Target, path: str, is_under_root: bool = False) -> str:
        response = await self._transport.open(target, target.path(path, is_under_root), None, {}, None)
        return (await self._transport.read(target, response)).decode("utf-8", errors="replace")

    async def _retried(self, endpoint: ModelEndpoint, attempt: Callable[[], Awaitable[T]]) -> T:
        """Ask an upstream again, with jittered pauses, while it produced no token and retries are left."""
        if endpoint.engine != EngineKind.OPENAI_HTTP:
            return await attempt()
        for pause_s in self._backoff.pauses_s(endpoint.max_retries):
            try:
                return await attempt()
            except EngineUnavailable:
                await self._sleep(pause_s)
        return await attempt()

    async def _within(self, timeout_s: float, target: Target, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(timeout_s):
                return await call
        except TimeoutError as error:
            what = f"{target.model_id}: no answer within {timeout_s:g} s"
            raise EngineTimeout(what, model_id=target.model_id, deadline_s=timeout_s) from error


def _engine_body(endpoint: ModelEndpoint, request: EngineRequest, is_stream: bool) -> JsonObject:
    body = {**request.body, "model": endpoint.served_name}
    if request.route == "embeddings":
        body.pop("stream", None)
        return body
    body["stream"] = is_stream
    if is_stream:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    else:
        body.pop("stream_options", None)
    return body


def _request_headers(request: EngineRequest) -> dict[str, str]:
    if request.traceparent is None:
        return {"x-request-id": request.request_id}
    return {"x-request-id": request.request_id, "traceparent": request.traceparent}


def _decode(target: Target, raw: bytes) -> JsonObject:
    try:
        decoded = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EngineError(f"{target.model_id}: the answer is not JSON", model_id=target.model_id) from error
    if not isinstance(decoded, dict):
        raise EngineError(f"{target.model_id}: the answer is not a JSON object", model_id=target.model_id)
    return decoded
