import asyncio
from contextlib import aclosing

import pytest

from neuroforge.contracts.models import ModelState
from neuroforge.contracts.routing import Chunk, Decided, StreamEvent, Waiting
from neuroforge.errors import EngineUnavailable, RequestError, StreamInterrupted
from tests.fakes import chat_chunks, endpoint, engine_request, routing_request
from tests.unit.orchestrator.bench import Bench

CHUNKS = chat_chunks("Hello", " world")
LOST = EngineUnavailable("a: connection lost", may_have_begun=True)
REFUSED = EngineUnavailable("a: no connection", may_have_begun=False)


def kinds(events: list[StreamEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def decided(events: list[StreamEvent]) -> list[str]:
    return [event.decision.model_id for event in events if isinstance(event, Decided)]


async def test_the_decision_comes_first_then_the_chunks() -> None:
    bench = Bench(endpoint("a"), script=(CHUNKS,))
    events = await bench.collect("a")
    assert decided(events) == ["a"]
    assert [event.body for event in events[1:] if isinstance(event, Chunk)] == CHUNKS
    bench.assert_balanced()


async def test_the_outcome_tells_first_token_and_usage() -> None:
    bench = Bench(endpoint("a"), script=(CHUNKS,))
    async for event in bench.orchestrator.stream(routing_request("a"), engine_request()):
        if isinstance(event, Chunk):
            bench.clock.advance(1.0)
    (outcome,) = bench.outcomes
    assert (outcome.ttft_s, outcome.latency_s) == (0.0, 4.0)
    assert (outcome.n_completion_tokens, outcome.finish_reason) == (2, "stop")


async def test_a_failure_before_the_first_chunk_is_an_ordinary_error() -> None:
    bench = Bench(endpoint("a"), script=(RequestError("bad schema"),))
    with pytest.raises(RequestError):
        await anext(bench.orchestrator.stream(routing_request("a"), engine_request()))
    assert bench.statuses == [("a", 400)]


async def test_auto_changes_the_model_before_the_first_chunk_unseen() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=([LOST], CHUNKS))
    events = await bench.collect()
    assert decided(events) == ["b"]
    assert bench.statuses == [("a", 503), ("b", 200)]
    bench.assert_balanced()


async def test_a_named_model_is_asked_again_before_the_first_chunk() -> None:
    bench = Bench(endpoint("a"), script=([LOST], CHUNKS))
    assert len(await bench.collect("a")) == 1 + len(CHUNKS)
    assert bench.called == ["a", "a"]


async def test_nothing_is_retried_after_the_first_chunk() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=([CHUNKS[0], StreamInterrupted("broke off")], CHUNKS))
    with pytest.raises(StreamInterrupted):
        await bench.collect()
    assert bench.called == ["a"]
    assert bench.statuses == [("a", 502)]
    bench.assert_balanced()


async def test_a_late_unavailable_is_an_interruption_too() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=([CHUNKS[0], LOST], CHUNKS))
    with pytest.raises(StreamInterrupted):
        await bench.collect()
    assert bench.called == ["a"]


async def test_closing_the_stream_frees_the_engine_and_reports_499() -> None:
    bench = Bench(endpoint("a"), script=(CHUNKS,))
    async with aclosing(bench.orchestrator.stream(routing_request("a"), engine_request())) as events:
        async for event in events:
            if isinstance(event, Chunk):
                break
    assert bench.statuses == [("a", 499)]
    assert bench.outcomes[0].n_completion_tokens == 1
    bench.assert_balanced()


async def test_cancelling_the_reader_frees_the_engine() -> None:
    bench = Bench(endpoint("a"), script=(CHUNKS,))
    task = asyncio.create_task(bench.collect("a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.statuses == [("a", 499)]
    bench.assert_balanced()


async def test_a_stream_that_waits_for_its_model_says_so_every_few_seconds() -> None:
    bench = Bench(endpoint("a", state=ModelState.UNLOADED), script=(CHUNKS,), waiting_period_s=3.0)
    bench.fleet.on_load = lambda model_id: bench.fleet.put(endpoint(model_id, state=ModelState.LOADING))
    events = []
    async for event in bench.orchestrator.stream(routing_request("a"), engine_request()):
        events.append(event)
        if isinstance(event, Waiting) and event.waited_s == 6.0:
            bench.fleet.put(endpoint("a"))
    assert kinds(events) == ["Decided", "Waiting", "Waiting"] + ["Chunk"] * len(CHUNKS)
    assert bench.fleet.loads == ["a"]
    bench.assert_balanced()


async def test_waiting_for_a_load_is_not_the_models_speed() -> None:
    bench = Bench(endpoint("a", state=ModelState.LOADING), script=(CHUNKS,))
    async for event in bench.orchestrator.stream(routing_request("a"), engine_request()):
        if isinstance(event, Waiting):
            bench.fleet.put(endpoint("a"))
    assert bench.outcomes[0].ttft_s == 0.0
    assert bench.outcomes[0].latency_s == 0.0


async def test_a_stream_that_waits_for_a_restarted_replica_says_so() -> None:
    bench = Bench(endpoint("a"), script=(*([REFUSED] for _ in range(8)), CHUNKS), waiting_period_s=3.0)
    events = await bench.collect("a")
    assert kinds(events)[:2] == ["Decided", "Waiting"]


async def test_a_second_decision_is_told_when_the_first_was() -> None:
    bench = Bench(endpoint("a", state=ModelState.LOADING), script=(CHUNKS,))
    events = []
    async for event in bench.orchestrator.stream(routing_request(), engine_request()):
        events.append(event)
        if isinstance(event, Waiting):
            bench.fleet.put(endpoint("a", state=ModelState.FAILED, error="no memory"))
            bench.fleet.on_load = lambda _: bench.fleet.put(endpoint("b"))
    assert decided(events) == ["a", "b"]
    assert bench.statuses == [("a", 503), ("b", 200)]
