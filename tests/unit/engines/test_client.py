"""HttpEngineClient against a real HTTP server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from neuroforge.contracts.chat import LabelRequest, PromptText
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.contracts.ports_engines import INTERNAL_TOKEN_HEADER
from neuroforge.engines.client import HttpEngineClient
from neuroforge.engines.dialects import LlamaCppDialect
from neuroforge.errors import (
    ContextLengthExceeded,
    EngineError,
    EngineOverloaded,
    EngineTimeout,
    EngineUnavailable,
    RequestError,
    UnsupportedParameter,
)
from tests.fakes import FakeClock, chat_answer, endpoint, engine_request
from tests.unit.engines.engine_server import EngineServer
from tests.unit.engines.raw_server import raw_server

CHAT = "/models/small/v1/chat/completions"


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with EngineServer() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[HttpEngineClient]:
    made = HttpEngineClient("internal-token", {EngineKind.LLAMACPP: LlamaCppDialect()}, sleep=FakeClock().sleep)
    yield made
    await made.close()


def ours(server: EngineServer, **changes: Any) -> ModelEndpoint:
    return endpoint(base_url=f"{server.url}/models/small/v1", served_name="served", **changes)


def upstream(server: EngineServer, **changes: Any) -> ModelEndpoint:
    return ours(server, engine=EngineKind.OPENAI_HTTP, api_key="upstream-key", **changes)


async def test_the_answer_comes_back_whole(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer("Hi."))
    assert await client.complete(ours(server), engine_request()) == chat_answer("Hi.")


async def test_the_engine_gets_its_own_name_and_no_stream(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    body = {"model": "small", "messages": [], "stream": True, "stream_options": {"include_usage": True}, "seed": 7}
    await client.complete(ours(server), engine_request(body=body))
    assert server.bodies == [{"model": "served", "messages": [], "stream": False, "seed": 7}]


async def test_our_engines_get_the_internal_token_both_ways(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    await client.complete(ours(server), engine_request(traceparent="00-abc-def-01"))
    headers = server.headers[0]
    assert headers[INTERNAL_TOKEN_HEADER] == "internal-token"
    assert headers["Authorization"] == "Bearer internal-token"
    assert headers["x-request-id"] == "req-1"
    assert headers["traceparent"] == "00-abc-def-01"


async def test_an_upstream_gets_its_key_and_never_our_token(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    await client.complete(upstream(server), engine_request())
    headers = server.headers[0]
    assert headers["Authorization"] == "Bearer upstream-key"
    assert "internal-token" not in str(headers)


async def test_an_upstream_without_key_gets_no_authorization(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    await client.complete(ours(server, engine=EngineKind.OPENAI_HTTP), engine_request())
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("engine", list(EngineKind))
async def test_only_our_own_application_is_said_to_watch_for_callers_who_leave(
    server: EngineServer, client: HttpEngineClient, engine: EngineKind
) -> None:
    server.answer(CHAT, chat_answer())
    await client.complete(ours(server, engine=engine), engine_request())
    assert ("x-request-disconnect-disabled" in server.headers[0]) is (engine == EngineKind.LLAMACPP)


async def test_name_and_password_in_an_upstreams_url_are_sent(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    url = f"{server.url}/models/small/v1".replace("http://", "http://me:p%40ss@")
    await client.complete(endpoint(base_url=url, engine=EngineKind.OPENAI_HTTP), engine_request())
    assert server.headers[0]["Authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize("key", ["a\r\nX-Other: 1", "caf\u00e9"])
async def test_a_key_that_is_no_header_is_refused_without_being_told(
    server: EngineServer, client: HttpEngineClient, key: str
) -> None:
    with pytest.raises(EngineError, match="Authorization") as caught:
        await client.complete(ours(server, engine=EngineKind.OPENAI_HTTP, api_key=key), engine_request())
    assert (key in str(caught.value), server.bodies) == (False, [])


async def test_what_speaks_no_http_is_an_engine_error(client: HttpEngineClient) -> None:
    async with raw_server([b"220 mail.example ESMTP\r\n"]) as other:
        with pytest.raises(EngineError, match="not an HTTP answer"):
            await client.complete(endpoint(base_url=f"http://127.0.0.1:{other.port}/v1"), engine_request())


async def test_a_refused_connection_is_unavailable_and_did_not_begin(client: HttpEngineClient, free_port: int) -> None:
    nobody = endpoint(base_url=f"http://127.0.0.1:{free_port}/v1")
    with pytest.raises(EngineUnavailable) as caught:
        await client.complete(nobody, engine_request())
    assert caught.value.context["may_have_begun"] is False


async def test_a_connection_lost_before_the_answer_may_have_begun(
    server: EngineServer, client: HttpEngineClient
) -> None:
    server.break_connection(CHAT)
    with pytest.raises(EngineUnavailable) as caught:
        await client.complete(ours(server), engine_request())
    assert caught.value.context["may_have_begun"] is True


async def test_a_connection_lost_within_the_body_is_unavailable(server: EngineServer, client: HttpEngineClient) -> None:
    server.break_connection(CHAT, after=b'{"id": ')
    with pytest.raises(EngineUnavailable):
        await client.complete(ours(server), engine_request())


@pytest.mark.parametrize("status", [404, 502, 503])
async def test_a_proxy_with_nobody_behind_is_unavailable(
    server: EngineServer, client: HttpEngineClient, status: int
) -> None:
    server.answer_text(CHAT, "Path not found.", status)
    with pytest.raises(EngineUnavailable):
        await client.complete(ours(server), engine_request())


async def test_a_full_queue_is_overload(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_text(CHAT, "busy", 429, {"Retry-After": "3"})
    with pytest.raises(EngineOverloaded) as caught:
        await client.complete(ours(server), engine_request())
    assert caught.value.context["retry_after_s"] == 3.0


async def test_too_long_a_prompt_carries_both_numbers(server: EngineServer, client: HttpEngineClient) -> None:
    error = {"code": "context_length_exceeded", "message": "too long", "n_prompt_tokens": 5000, "context_length": 4096}
    server.answer_text(CHAT, orjson.dumps({"error": error}).decode(), 400)
    with pytest.raises(ContextLengthExceeded, match=r"5000.*4096"):
        await client.complete(ours(server), engine_request())


async def test_no_redirect_is_followed(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_text(CHAT, "", 307, {"Location": "http://127.0.0.1:1/elsewhere"})
    with pytest.raises(EngineError, match="status 307"):
        await client.complete(ours(server), engine_request())


@pytest.mark.parametrize("text", ["<html>", "[1]"])
async def test_an_answer_that_is_no_json_object_is_an_engine_error(
    server: EngineServer, client: HttpEngineClient, text: str
) -> None:
    server.answer_text(CHAT, text, 200)
    with pytest.raises(EngineError, match="JSON"):
        await client.complete(ours(server), engine_request())


async def test_the_deadline_closes_the_connection(server: EngineServer, client: HttpEngineClient) -> None:
    server.hang(CHAT)
    with pytest.raises(EngineTimeout):
        await client.complete(ours(server), engine_request(deadline_s=0.05))
    await server.disconnected.wait()


async def test_cancellation_closes_the_connection(server: EngineServer, client: HttpEngineClient) -> None:
    server.hang(CHAT)
    task = asyncio.create_task(client.complete(ours(server), engine_request()))
    await server.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.disconnected.wait()


async def test_connections_are_reused(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    for _ in range(5):
        await client.complete(ours(server), engine_request())
    assert len(server.peers) == 1


async def test_more_than_a_hundred_requests_run_at_once(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_when_all_are_there(CHAT, 150, chat_answer())
    async with asyncio.TaskGroup() as group:
        for _ in range(150):
            group.create_task(client.complete(ours(server), engine_request()))
    assert len(server.peers) == 150


async def test_a_body_of_megabytes_is_sent(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer(CHAT, chat_answer())
    body = {"messages": [{"role": "user", "content": "x" * 2_000_000}]}
    await client.complete(ours(server), engine_request(body=body))
    assert len(server.bodies[0]["messages"][0]["content"]) == 2_000_000


async def test_an_upstream_is_asked_again_while_retries_are_left(
    server: EngineServer, client: HttpEngineClient
) -> None:
    server.answer_after_failures(CHAT, 2, chat_answer("At last."))
    answer = await client.complete(upstream(server, max_retries=2), engine_request())
    assert answer == chat_answer("At last.")


async def test_retries_of_an_upstream_end(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_text(CHAT, "down", 503)
    with pytest.raises(EngineUnavailable):
        await client.complete(upstream(server, max_retries=2), engine_request())
    assert len(server.bodies) == 3


async def test_our_own_engine_is_asked_once(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_text(CHAT, "down", 503)
    with pytest.raises(EngineUnavailable):
        await client.complete(ours(server, max_retries=2), engine_request())
    assert len(server.bodies) == 1


async def test_the_replicas_own_routes_are_under_its_application(
    server: EngineServer, client: HttpEngineClient
) -> None:
    server.answer("/models/small/v1/count_tokens", {"n_tokens": 9, "context_length": 4096})
    count = await client.count_tokens(ours(server), PromptText(text="hello"))
    assert (count.n_tokens, server.bodies) == (9, [{"text": "hello"}])


async def test_label_scores_come_in_order(server: EngineServer, client: HttpEngineClient) -> None:
    scores = [{"label": "A", "logprob": -0.5, "n_tokens": 1}, {"label": "B", "logprob": -1.5, "n_tokens": 2}]
    server.answer("/models/small/v1/label_logprobs", {"scores": scores, "n_prompt_tokens": 4})
    request = LabelRequest(prompt=PromptText(text="Pick"), labels=("A", "B"))
    answer = await client.label_logprobs(ours(server), request)
    assert [score.logprob for score in answer.scores] == [-0.5, -1.5]


async def test_label_scores_that_come_too_late_are_a_timeout(server: EngineServer, client: HttpEngineClient) -> None:
    server.hang("/models/small/v1/label_logprobs")
    request = LabelRequest(prompt=PromptText(text="Pick"), labels=("A", "B"), deadline_s=0.01)
    with pytest.raises(EngineTimeout, match=r"no answer within 0.01 s"):
        await client.label_logprobs(ours(server), request)


async def test_statistics_are_read(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer("/models/small/stats", {"slots_total": 4, "slots_busy": 1, "queued": 0})
    assert (await client.stats(ours(server))).slots_busy == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client, model: client.count_tokens(model, PromptText(text="x")),
        lambda client, model: client.stats(model),
    ],
)
async def test_an_answer_of_another_form_is_an_engine_error(
    server: EngineServer, client: HttpEngineClient, call: Callable[..., Awaitable[object]]
) -> None:
    server.answer("/models/small/v1/count_tokens", {"n": 1})
    server.answer("/models/small/stats", {"slots": 1})
    with pytest.raises(EngineError, match="is not a"):
        await call(client, ours(server))


async def test_an_engine_without_dialect_refuses(server: EngineServer, client: HttpEngineClient) -> None:
    with pytest.raises(UnsupportedParameter):
        await client.stats(ours(server, engine=EngineKind.VLLM))


async def test_check_asks_for_the_models(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer("/models/small/v1/models", {"object": "list", "data": []})
    await client.check(upstream(server))
    with pytest.raises(EngineError):
        await client.check(endpoint(base_url=f"{server.url}/nowhere"))


async def test_no_prompt_is_in_an_error(server: EngineServer, client: HttpEngineClient) -> None:
    async def echo_body(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "bad: " + await request.text()}}, status=400)

    server.handle(CHAT, echo_body)
    with pytest.raises(RequestError) as caught:
        await client.complete(upstream(server), engine_request())
    assert "hello" not in str(caught.value)


async def test_no_key_is_in_an_error(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_text(CHAT, '{"error": {"message": "cannot use upstream-key here"}}', 400)
    with pytest.raises(RequestError) as caught:
        await client.complete(upstream(server), engine_request())
    assert caught.value.message == "cannot use [key] here"
