import asyncio
from typing import Any

from tests.unit.gateway.fakes import Client, Gateway, delta

PATH = "/v1/chat/completions"
CHAT: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "x"}]}


async def hang_up(gateway: Gateway, body: dict[str, Any]) -> None:
    """Ask, and hang up as soon as the orchestrator has the request."""
    gateway.orchestrator.gate = asyncio.Event()
    gone = asyncio.Event()
    async with gateway.running() as client:
        call = asyncio.create_task(client.post(PATH, body, gone=gone))
        while not gateway.orchestrator.requests:
            await asyncio.sleep(0)
        gone.set()
        await call


async def test_hanging_up_cancels_an_answer_that_is_not_streamed() -> None:
    gateway = Gateway()
    await hang_up(gateway, CHAT)
    assert gateway.orchestrator.n_cancelled == 1
    assert gateway.state.events[0].status == 499


async def test_hanging_up_closes_the_stream() -> None:
    gateway = Gateway()
    gateway.orchestrator.events = (delta("a"),)
    await hang_up(gateway, {**CHAT, "stream": True})
    assert gateway.orchestrator.n_closed == 1
    assert gateway.state.events[0].status == 499


async def test_a_cancelled_handler_is_booked_and_stays_cancelled() -> None:
    gateway = Gateway()
    gateway.orchestrator.gate = asyncio.Event()
    async with gateway.running() as client:
        call = asyncio.create_task(client.post(PATH, CHAT))
        while not gateway.orchestrator.requests:
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
    assert (gateway.orchestrator.n_cancelled, gateway.state.events[0].status) == (1, 499)


async def test_the_gateway_gives_up_when_the_orchestrator_does_not() -> None:
    gateway = Gateway()
    gateway.orchestrator.gate = asyncio.Event()
    async with gateway.running(deadline_slack_s=0.0) as client:
        reply = await client.post(PATH, {**CHAT, "neuroforge": {"deadline_s": 0.01}})
    assert (reply.status, reply.error["code"]) == (504, "deadline_exceeded")
    assert gateway.orchestrator.n_cancelled == 1


async def test_a_late_stream_ends_with_an_error_event() -> None:
    gateway = Gateway()
    gateway.orchestrator.gate = asyncio.Event()
    gateway.orchestrator.events = (delta("a"),)
    async with gateway.running(deadline_slack_s=0.0) as client:
        reply = await client.post(PATH, {**CHAT, "stream": True, "neuroforge": {"deadline_s": 0.01}})
    assert reply.events()[-1][0] == "error"
    assert gateway.orchestrator.n_closed == 1


async def test_a_caller_who_hangs_up_within_the_body_is_not_answered() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        sent: list[Any] = []
        messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        await client.app(scope_of(client), receive, send)
    assert sent == []
    assert gateway.state.events[0].status == 499


def scope_of(client: Client) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": (client.peer, 1),
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
    }
