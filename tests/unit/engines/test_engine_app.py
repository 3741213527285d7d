"""The engine's ASGI application over a fake engine, driven by hand so that leaving clients can be played."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRoute, LabelLogprobs, LabelRequest, LabelScore, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats
from neuroforge.engines.app import build_engine_app
from neuroforge.errors import ContextLengthExceeded, EngineOverloaded, EngineUnavailable, NeuroForgeError

TOKEN = "secret"


class FakeEngine:
    """Answers at once, fails as told, or works until cancelled."""

    def __init__(self, error: NeuroForgeError | None = None, is_endless: bool = False, n_before_error: int = 0) -> None:
        self.error, self.is_endless, self.n_before_error = error, is_endless, n_before_error
        self.is_working = asyncio.Event()
        self.was_cancelled = False
        self.bodies: list[tuple[str, JsonObject]] = []

    async def complete(self, route: EngineRoute, body: JsonObject) -> JsonObject:
        self.bodies.append((route, body))
        await self._work()
        return {"route": route}

    async def stream(self, route: EngineRoute, body: JsonObject) -> AsyncGenerator[bytes, None]:
        self.bodies.append((route, body))
        for _ in range(self.n_before_error):
            yield b'{"text":"a"}'
        await self._work()
        yield b'{"text":"b"}'
        yield b"[DONE]"

    async def count_tokens(self, prompt: PromptText) -> TokenCount:
        return TokenCount(n_tokens=len(prompt.text or ""))

    async def label_logprobs(self, request: LabelRequest) -> LabelLogprobs:
        scores = tuple(LabelScore(label=label, logprob=-1.0, n_tokens=1) for label in request.labels)
        return LabelLogprobs(scores=scores, n_prompt_tokens=1)

    async def stats(self) -> EngineStats:
        return EngineStats(slots_total=1, slots_busy=0, queued=0)

    async def check_health(self) -> None:
        await self._work()

    async def _work(self) -> None:
        if self.error is not None:
            raise self.error
        self.is_working.set()
        if self.is_endless:
            try:
                await asyncio.Event().wait()
            finally:
                self.was_cancelled = True


class Client:
    """One request to the application; `leave` plays the client's going away."""

    def __init__(
        self,
        engine: FakeEngine,
        path: str,
        body: Any = None,
        token: str | None = TOKEN,
        method: str = "POST",
        root: str = "",
    ) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._incoming.put_nowait({"type": "http.request", "body": payload, "more_body": False})
        self._sent: list[Message] = []
        headers = [] if token is None else [(b"x-neuroforge-internal", token.encode())]
        scope = {
            "type": "http",
            "method": method,
            "path": root + path,
            "root_path": root,
            "query_string": b"",
            "headers": headers,
        }
        app = build_engine_app(engine, TOKEN)
        self._task = asyncio.create_task(app(scope, self._incoming.get, self._send))  # type: ignore[arg-type]

    async def _send(self, message: Message) -> None:
        self._sent.append(message)

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def answer(self) -> tuple[int, bytes]:
        await self._task
        return self._sent[0]["status"], b"".join(message.get("body", b"") for message in self._sent[1:])

    async def json(self) -> tuple[int, Any]:
        status, body = await self.answer()
        return status, json.loads(body)

    def header(self, name: bytes) -> bytes | None:
        return dict(self._sent[0]["headers"]).get(name)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/chat/completions", "chat/completions"),
        ("/v1/completions", "completions"),
        ("/v1/embeddings", "embeddings"),
    ],
)
@pytest.mark.parametrize("root", ["", "/models/smol"])
async def test_routes_work_under_any_mount_path(path: str, route: str, root: str) -> None:
    assert await Client(FakeEngine(), path, {"x": 1}, root=root).json() == (200, {"route": route})


async def test_count_labels_stats_and_health() -> None:
    engine = FakeEngine()
    assert (await Client(engine, "/v1/count_tokens", {"text": "abc"}).json())[1]["n_tokens"] == 3
    ask = {"prompt": {"text": "a"}, "labels": ["x"]}
    assert (await Client(engine, "/v1/label_logprobs", ask).json())[1]["scores"][0]["logprob"] == -1.0
    assert (await Client(engine, "/stats", method="GET").json())[1]["slots_total"] == 1
    assert await Client(engine, "/health", method="GET", token=None).json() == (200, {"status": "ok"})


async def test_a_stream_is_server_sent_events() -> None:
    client = Client(FakeEngine(), "/v1/chat/completions", {"stream": True})
    assert await client.answer() == (200, b'data: {"text":"b"}\n\ndata: [DONE]\n\n')
    assert client.header(b"content-type") == b"text/event-stream; charset=utf-8"


@pytest.mark.parametrize("token", [None, "", "wrong", "secre", "secrets"])
@pytest.mark.parametrize(("path", "method"), [("/v1/chat/completions", "POST"), ("/stats", "GET"), ("/none", "GET")])
async def test_without_the_token_nothing_is_reached(token: str | None, path: str, method: str) -> None:
    engine = FakeEngine()
    status, body = await Client(engine, path, {}, token=token, method=method).json()
    assert status == 401
    assert body["error"]["code"] == "invalid_api_key"
    assert engine.bodies == []


async def test_health_is_open_under_a_mount_path_too() -> None:
    client = Client(FakeEngine(), "/health", method="GET", token=None, root="/models/smol")
    assert (await client.json())[0] == 200


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        build_engine_app(FakeEngine(), "")


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_before_the_first_token_is_an_answer(stream: bool) -> None:
    error = ContextLengthExceeded("too long", n_prompt_tokens=9, context_length=8)
    client = Client(FakeEngine(error), "/v1/completions", {"stream": stream})
    assert await client.json() == (
        400,
        {
            "error": {
                "message": "too long",
                "type": "invalid_request_error",
                "param": None,
                "code": "context_length_exceeded",
                "n_prompt_tokens": 9,
                "context_length": 8,
            }
        },
    )


async def test_an_error_in_the_middle_is_an_event_without_done() -> None:
    engine = FakeEngine(EngineUnavailable("gone"), n_before_error=1)
    status, body = await Client(engine, "/v1/completions", {"stream": True}).answer()
    assert status == 200
    first, second = body.decode().strip().split("\n\n")
    assert first == 'data: {"text":"a"}'
    assert json.loads(second.removeprefix("data: "))["error"]["code"] == "model_unavailable"


async def test_overload_says_when_to_try_again() -> None:
    client = Client(FakeEngine(EngineOverloaded("full", retry_after_s=2.2)), "/v1/completions", {})
    assert (await client.json())[0] == 429
    assert client.header(b"retry-after") == b"3"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("n_before", [0, 1])
async def test_the_work_is_cancelled_when_the_client_leaves(stream: bool, n_before: int) -> None:
    engine = FakeEngine(is_endless=True, n_before_error=n_before)
    client = Client(engine, "/v1/chat/completions", {"stream": stream})
    await engine.is_working.wait()
    client.leave()
    async with asyncio.timeout(5):
        await client._task
    assert engine.was_cancelled


@pytest.mark.parametrize("stream", [True, False])
async def test_the_work_is_cancelled_when_the_request_is(stream: bool) -> None:
    engine = FakeEngine(is_endless=True)
    client = Client(engine, "/v1/chat/completions", {"stream": stream})
    await engine.is_working.wait()
    client._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client._task
    assert engine.was_cancelled


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff"])
async def test_a_body_that_is_no_object_is_a_bad_request(body: bytes) -> None:
    assert (await Client(FakeEngine(), "/v1/chat/completions", body).json())[0] == 400


async def test_validation_names_the_place_and_not_the_text() -> None:
    ask = {"prompt": {"text": "canary"}, "labels": "canary"}
    status, body = await Client(FakeEngine(), "/v1/label_logprobs", ask).json()
    assert (status, body["error"]["param"]) == (400, "labels")
    assert "canary" not in json.dumps(body)


@pytest.mark.parametrize(("path", "method"), [("/none", "GET"), ("/stats", "POST")])
async def test_unknown_routes_have_the_envelope(path: str, method: str) -> None:
    status, body = await Client(FakeEngine(), path, {}, method=method).json()
    assert status == 404
    assert body["error"]["code"] == "not_found"
