import json
from typing import Any

from neuroforge.contracts.routing import Chunk, Waiting
from neuroforge.errors import EngineUnavailable, StreamInterrupted
from tests.unit.gateway.fakes import LAST, USAGE, Gateway, Reply, chunk_body, delta

PATH = "/v1/chat/completions"
STREAM: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "hello"}], "stream": True}
USAGE_TOO = {**STREAM, "stream_options": {"include_usage": True}}
WAITING = Waiting(model_id="small", waited_s=1.0)


async def streamed(*events: Any, body: dict[str, Any] = STREAM) -> tuple[Gateway, Reply]:
    gateway = Gateway()
    gateway.orchestrator.events = events
    async with gateway.running() as client:
        reply = await client.post(PATH, body)
    return gateway, reply


def bodies(reply: Reply) -> list[Any]:
    return [json.loads(data) for name, data in reply.events() if name is None and data != "[DONE]"]


async def test_chunks_have_one_id_of_ours_and_the_public_model() -> None:
    _, reply = await streamed(delta("hel"), delta("lo"), LAST)
    found = bodies(reply)
    assert [one["choices"][0]["delta"]["content"] for one in found] == ["hel", "lo"]
    assert {one["model"] for one in found} == {"small"}
    assert len({one["id"] for one in found}) == 1
    assert reply.events()[-1] == (None, "[DONE]")


async def test_the_engine_is_always_asked_for_usage() -> None:
    gateway, reply = await streamed(delta("a"), LAST)
    assert gateway.orchestrator.requests[0].body["stream_options"] == {"include_usage": True}
    assert b"usage" not in reply.body


async def test_usage_comes_in_a_last_chunk_when_asked_for() -> None:
    _, reply = await streamed(delta("a"), LAST, body=USAGE_TOO)
    first, last = bodies(reply)
    assert (first["usage"], last["choices"], last["usage"]) == (None, [], USAGE)


async def test_usage_inside_a_chunk_with_choices_is_moved_to_the_end() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    _, reply = await streamed(Chunk(body=chunk_body([choice], usage=USAGE)), body=USAGE_TOO)
    assert [one["usage"] for one in bodies(reply)] == [None, USAGE]


async def test_tool_deltas_keep_their_index() -> None:
    calls = [{"index": 1, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}]
    choice = {"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}
    _, reply = await streamed(Chunk(body=chunk_body([choice])), LAST)
    assert bodies(reply)[0]["choices"][0]["delta"]["tool_calls"] == calls


async def test_a_wait_is_a_comment() -> None:
    _, reply = await streamed(WAITING, delta("a"), LAST)
    assert reply.events()[0] == (":", "loading small")
    assert reply.headers["x-neuroforge-model"] == "small"


async def test_an_error_before_the_first_chunk_has_its_status() -> None:
    _, reply = await streamed(EngineUnavailable("gone", retry_after_s=2))
    assert (reply.status, reply.error["code"], reply.headers["retry-after"]) == (503, "model_unavailable", "2")


async def test_an_error_after_a_wait_is_an_event() -> None:
    _, reply = await streamed(WAITING, EngineUnavailable("gone"))
    assert (reply.status, reply.events()[-1][0]) == (200, "error")


async def test_a_broken_stream_ends_with_an_error_event_and_no_end_mark() -> None:
    gateway, reply = await streamed(delta("a"), StreamInterrupted("cut"))
    name, data = reply.events()[-1]
    assert (name, json.loads(data)["error"]["code"]) == ("error", "stream_interrupted")
    assert b"[DONE]" not in reply.body
    assert gateway.state.events[0].status == 502


async def test_an_unexpected_error_in_a_stream_is_an_error_event_too() -> None:
    _, reply = await streamed(delta("a"), ZeroDivisionError("secret text"))
    assert json.loads(reply.events()[-1][1])["error"]["code"] == "internal_error"
    assert b"secret text" not in reply.body


async def test_a_stream_that_breaks_without_usage_is_booked_by_its_chunks() -> None:
    gateway, _ = await streamed(delta("a"), delta("b"), StreamInterrupted("cut"))
    assert gateway.state.events[0].detail["n_completion_tokens"] == 2


async def test_the_time_to_the_first_token_is_measured() -> None:
    gateway, _ = await streamed(delta("a"), LAST)
    assert [name for name, _, _ in gateway.metrics.observed] == [
        "neuroforge_request_latency_seconds",
        "neuroforge_time_to_first_token_seconds",
    ]
