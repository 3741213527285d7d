import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from neuroforge import errors
from neuroforge.client import AsyncClient
from tests.unit.loopback import CHAT, STATUS, Answer, Loopback, chunk, data, envelope, loopback


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
async def async_client(gateway: Loopback) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(gateway.url, "nf-key", timeout_s=5.0) as one:
        yield one


async def test_the_async_client_chats_and_streams(gateway: Loopback, async_client: AsyncClient) -> None:
    gateway.answer_json("GET", "/admin/v1/status", STATUS)
    assert (await async_client.status()).is_ready
    gateway.stream(CHAT, data(chunk("a")), data(chunk("b", usage={"total_tokens": 3})), data("[DONE]"))
    chunks = [one async for one in async_client.stream("Hi", "small")]
    assert chunks[-1]["usage"] == {"total_tokens": 3}
    assert gateway.received[0].headers["authorization"] == "Bearer nf-key"


async def test_the_async_client_raises_our_errors(gateway: Loopback, async_client: AsyncClient) -> None:
    gateway.answer_json("POST", "/admin/v1/models/x/load", envelope("model_not_found", known=["a"]), 404)
    with pytest.raises(errors.ModelNotFound) as caught:
        await async_client.load("x")
    assert caught.value.context["known"] == ["a"]


async def test_the_async_client_hangs_up_when_cancelled(gateway: Loopback, async_client: AsyncClient) -> None:
    limit = threading.Event()
    gateway.stream(CHAT, data(chunk("a")), data(chunk("b")), waits_for=limit)
    has_begun = asyncio.Event()

    async def read() -> None:
        async for _ in async_client.stream("Hi"):
            has_begun.set()

    task = asyncio.create_task(read())
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gateway.hung_up.wait, 5)
    limit.set()


async def test_an_async_stream_without_its_end_is_interrupted(gateway: Loopback, async_client: AsyncClient) -> None:
    gateway.stream(CHAT, data(chunk("a")), ends_cleanly=False)
    with pytest.raises(errors.StreamInterrupted):
        _ = [one async for one in async_client.stream("Hi")]


async def test_async_nobody_there_is_unavailable() -> None:
    async with AsyncClient("http://127.0.0.1:1") as client:
        with pytest.raises(errors.EngineUnavailable, match="nothing answers"):
            await client.models()


async def test_async_wait_ready_returns_once_ready(gateway: Loopback, async_client: AsyncClient) -> None:
    gateway.answer("GET", "/readyz", Answer(404, b"not yet"), Answer(body=b"{}"))
    await async_client.wait_ready(timeout_s=10)
    assert await async_client.is_ready()


async def test_an_answer_tells_its_decision_so_that_it_can_be_rated(
    gateway: Loopback, async_client: AsyncClient
) -> None:
    told = {"x-neuroforge-decision": "d1;reason=utility"}
    gateway.answer("POST", CHAT, Answer(body=b'{"id": "c1"}', headers=told))
    answer = await async_client.chat("Hi")
    assert answer == {"id": "c1", "neuroforge": {"decision_id": "d1", "reason": "utility"}}


async def test_one_stream_after_another_uses_one_connection(gateway: Loopback) -> None:
    gateway.stream(CHAT, data(chunk("a")), data("[DONE]"))
    async with AsyncClient(gateway.url) as client:
        for _ in range(3):
            assert len([one async for one in client.stream("Hi")]) == 1
    assert len({one.connection for one in gateway.received}) == 1
