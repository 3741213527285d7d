"""The ASGI layers before vLLM's server, called as Serve calls them."""

import ast
import asyncio
import hashlib
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from cluster import vllm_guard
from cluster.vllm_guard import AsgiApp, CancelByDisconnect, MemoryRoute, QueueLimit, Receive, Scope, Send, TokenGuard

TOKEN = "secret"
TOKEN_SHA256 = hashlib.sha256(TOKEN.encode()).hexdigest()
WITH_TOKEN = [(b"x-neuroforge-internal", TOKEN.encode())]
Message = MutableMapping[str, Any]


class Call:
    """One request, and what was sent in answer."""

    def __init__(self, path: str = "/v1/models", kind: str = "http", headers: list[tuple[bytes, bytes]] | None = None):
        self.scope: Scope = {"type": kind, "path": path, "headers": headers or []}
        self.sent: list[Message] = []
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def to(self, app: AsgiApp) -> "Call":
        await app(self.scope, self.inbox.get, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> Any:
        return json.loads(self.sent[1]["body"])


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-neuroforge-internal", b"guess")],
        [(b"x-neuroforge-internal", TOKEN_SHA256.encode())],
        [(b"authorization", b"Bearer secret")],
        [*WITH_TOKEN, (b"x-neuroforge-internal", b"guess")],
    ],
    ids=["none", "wrong", "its hash", "another header", "two"],
)
async def test_without_the_token_every_path_is_401(headers: list[tuple[bytes, bytes]]) -> None:
    call = await Call("/metrics", headers=headers).to(TokenGuard(ok, TOKEN_SHA256))
    assert call.status == 401
    assert call.body["error"]["code"] == "invalid_api_key"


async def test_with_the_token_the_app_answers() -> None:
    call = await Call(headers=[(b"X-NeuroForge-Internal", TOKEN.encode())]).to(TokenGuard(ok, TOKEN_SHA256))
    assert call.status == 200


async def test_a_websocket_without_the_token_never_opens() -> None:
    call = await Call(kind="websocket").to(TokenGuard(ok, TOKEN_SHA256))
    assert call.sent == [{"type": "websocket.close", "code": 1008}]


async def test_lifespan_events_pass_the_guard() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await Call(kind="lifespan").to(TokenGuard(app, TOKEN_SHA256))
    assert seen == ["lifespan"]


async def test_one_request_too_many_is_429_and_a_place_that_empties_is_given() -> None:
    release = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await ok(scope, receive, send)

    limited = QueueLimit(app, limit=1)
    first = asyncio.create_task(Call("/models/m/v1/chat/completions").to(limited))
    await asyncio.sleep(0)
    refused = await Call("/models/m/v1/completions").to(limited)
    assert (refused.status, refused.headers[b"retry-after"]) == (429, b"1")
    assert refused.body["error"]["code"] == "model_overloaded"
    release.set()
    assert (await first).status == 200
    assert (await Call("/models/m/v1/chat/completions").to(limited)).status == 200


async def test_a_failed_request_gives_its_place_back() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    limited = QueueLimit(app, limit=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await Call("/v1/completions").to(limited)


async def test_side_calls_are_not_limited() -> None:
    assert (await Call("/models/m/metrics").to(QueueLimit(ok, limit=0))).status == 200


async def test_the_memory_of_process_and_children_is_a_number() -> None:
    call = await Call("/models/m/resident_bytes").to(MemoryRoute(ok))
    assert int(call.sent[1]["body"]) > 1_000_000
    assert (await Call("/v1/models").to(MemoryRoute(ok))).sent[1]["body"] == b"{}"


async def test_a_handler_that_listens_reads_the_disconnect_before_it_is_cancelled() -> None:
    """vLLM's handler works in a task of its own, which outlives a cancelled handler."""
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])

    call = Call()
    handler = asyncio.create_task(call.to(CancelByDisconnect(app)))
    await asyncio.sleep(0)
    call.inbox.put_nowait({"type": "http.disconnect"})
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert heard == ["http.disconnect"]


async def test_a_handler_that_does_not_listen_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_guard, "_ABORT_GRACE_S", 0.0)
    was_cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    handler = asyncio.create_task(Call().to(CancelByDisconnect(app)))
    await asyncio.sleep(0)
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    await asyncio.wait_for(was_cancelled.wait(), 1)


async def test_an_apps_own_error_reaches_serve() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Call().to(CancelByDisconnect(app))


@pytest.mark.parametrize("name", ["vllm_app", "vllm_guard"])
def test_what_travels_by_value_needs_nothing_of_ours(name: str) -> None:
    tree = ast.parse((Path(vllm_guard.__file__).parent / f"{name}.py").read_text())
    froms = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {one for one in froms | names if one.split(".")[0] in {"neuroforge", "cluster", "jobs"}}
    assert ours <= {"cluster.vllm_guard"}
    assert "__future__" in froms
