"""Streams of HttpEngineClient against a real HTTP server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.engines.client import HttpEngineClient
from neuroforge.errors import EngineError, EngineTimeout, EngineUnavailable, RequestError, StreamInterrupted
from tests.fakes import FakeClock, chat_chunks, endpoint, engine_request
from tests.unit.engines.engine_server import EngineServer

CHAT = "/v1/chat/completions"
CHUNKS = chat_chunks("Grüße", " 世界")
DONE = b"data: [DONE]\n\n"


def sse(*chunks: JsonObject) -> bytes:
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with EngineServer() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[HttpEngineClient]:
    made = HttpEngineClient(None, {}, sleep=FakeClock().sleep)
    yield made
    await made.close()


def model(server: EngineServer, **changes: Any) -> ModelEndpoint:
    return endpoint(base_url=f"{server.url}/v1", **changes)


async def collect(chunks: AsyncIterator[JsonObject]) -> list[JsonObject]:
    return [chunk async for chunk in chunks]


async def test_chunks_come_in_order_and_usage_is_asked_for(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(*CHUNKS), DONE)
    assert await collect(client.stream(model(server), engine_request())) == CHUNKS
    assert server.bodies[0]["stream"] is True
    assert server.bodies[0]["stream_options"] == {"include_usage": True}


async def test_a_chunk_comes_before_the_next_one_is_made(server: EngineServer, client: HttpEngineClient) -> None:
    go_on = asyncio.Event()
    server.stream(CHAT, sse(CHUNKS[0]), go_on, sse(*CHUNKS[1:]), DONE)
    stream = client.stream(model(server), engine_request())
    assert await anext(stream) == CHUNKS[0]
    go_on.set()
    assert await collect(stream) == CHUNKS[1:]


async def test_pieces_may_end_anywhere(server: EngineServer, client: HttpEngineClient) -> None:
    whole = b": hello\n\n" + sse(*CHUNKS) + DONE
    server.stream(CHAT, *(whole[start : start + 7] for start in range(0, len(whole), 7)))
    assert await collect(client.stream(model(server), engine_request())) == CHUNKS


async def test_a_read_stream_gives_its_connection_back(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(*CHUNKS), DONE)
    for _ in range(3):
        await collect(client.stream(model(server), engine_request()))
    assert len(server.peers) == 1


async def test_a_stream_without_done_ends_after_a_finish_reason(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(*CHUNKS))
    assert await collect(client.stream(model(server), engine_request())) == CHUNKS


async def test_a_stream_without_any_end_is_interrupted(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0]))
    with pytest.raises(StreamInterrupted, match="after 1 chunks"):
        await collect(client.stream(model(server), engine_request()))


async def test_a_stream_that_breaks_is_interrupted(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0]), is_cut=True)
    with pytest.raises(StreamInterrupted):
        await collect(client.stream(model(server), engine_request()))


async def test_a_loss_after_the_usage_loses_nothing(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(*CHUNKS), is_cut=True)
    assert await collect(client.stream(model(server), engine_request())) == CHUNKS


async def test_a_loss_before_the_first_chunk_can_be_retried(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, b": waiting\n\n", is_cut=True)
    with pytest.raises(EngineUnavailable):
        await collect(client.stream(model(server), engine_request()))


async def test_an_error_event_interrupts(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0], {"error": {"message": "out of memory", "code": 500}}))
    with pytest.raises(StreamInterrupted, match="out of memory"):
        await collect(client.stream(model(server), engine_request()))


async def test_an_error_event_at_first_is_an_ordinary_error(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse({"error": {"message": "bad schema", "code": 400}}))
    with pytest.raises(RequestError, match="bad schema"):
        await collect(client.stream(model(server), engine_request()))


@pytest.mark.parametrize("data", [b"{broken", b"[1]", b'{"choices": [1]}'])
async def test_a_chunk_of_odd_form_interrupts(server: EngineServer, client: HttpEngineClient, data: bytes) -> None:
    server.stream(CHAT, sse(CHUNKS[0]), b"data: " + data + b"\n\n")
    with pytest.raises(StreamInterrupted):
        await collect(client.stream(model(server), engine_request()))


async def test_closing_the_iterator_closes_the_connection(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0]), asyncio.Event())
    stream = client.stream(model(server), engine_request())
    await anext(stream)
    await stream.aclose()
    await server.disconnected.wait()


async def test_cancelling_the_reader_closes_the_connection(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0]), asyncio.Event())
    task = asyncio.create_task(collect(client.stream(model(server), engine_request())))
    await server.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.disconnected.wait()


async def test_the_deadline_ends_a_stream_that_has_begun(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0]), asyncio.Event())
    with pytest.raises(EngineTimeout):
        await collect(client.stream(model(server), engine_request(deadline_s=0.1)))
    await server.disconnected.wait()


async def test_the_deadline_frees_the_slot_while_nobody_reads(server: EngineServer, client: HttpEngineClient) -> None:
    server.stream(CHAT, sse(CHUNKS[0]), asyncio.Event())
    stream = client.stream(model(server), engine_request(deadline_s=0.1))
    await anext(stream)
    await server.disconnected.wait()
    with pytest.raises(EngineTimeout):
        await anext(stream)


async def test_the_deadline_holds_before_the_first_chunk(server: EngineServer, client: HttpEngineClient) -> None:
    server.hang(CHAT)
    with pytest.raises(EngineTimeout):
        await collect(client.stream(model(server), engine_request(deadline_s=0.05)))


async def test_an_upstream_is_asked_again_before_the_first_chunk(
    server: EngineServer, client: HttpEngineClient
) -> None:
    server.answer_text(CHAT, "down", 503)
    upstream = model(server, engine=EngineKind.OPENAI_HTTP, max_retries=1)
    with pytest.raises(EngineUnavailable):
        await collect(client.stream(upstream, engine_request()))
    assert len(server.bodies) == 2


async def test_a_refusal_comes_before_any_chunk(server: EngineServer, client: HttpEngineClient) -> None:
    server.answer_text(CHAT, "oops", 500)
    with pytest.raises(EngineError, match="status 500"):
        await collect(client.stream(model(server), engine_request()))
