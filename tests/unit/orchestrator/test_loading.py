import asyncio

import pytest

from neuroforge.contracts.models import EngineKind, ModelEndpoint, ModelState
from neuroforge.errors import EngineTimeout, EngineUnavailable, ModelNotFound, OutOfMemory
from tests.fakes import chat_answer, endpoint, engine_request, routing_request, snapshot
from tests.unit.orchestrator.bench import Bench

UNLOADED = endpoint("a", state=ModelState.UNLOADED)
LOADING = endpoint("a", state=ModelState.LOADING)
READY = endpoint("a")


def failed(error: str) -> ModelEndpoint:
    return endpoint("a", state=ModelState.FAILED, error=error)


async def complete(bench: Bench, deadline_s: float = 600.0) -> None:
    await bench.orchestrator.complete(routing_request("a"), engine_request(deadline_s=deadline_s))


async def test_an_unloaded_model_is_loaded_and_then_asked() -> None:
    bench = Bench(UNLOADED)
    bench.fleet.changes = [LOADING, READY]
    await complete(bench)
    assert bench.fleet.loads == ["a"]
    assert bench.called == ["a"]


async def test_a_model_that_is_loading_is_waited_for_without_asking() -> None:
    bench = Bench(LOADING)
    bench.fleet.changes = [READY]
    await complete(bench)
    assert bench.fleet.loads == []


async def test_a_model_that_is_unloading_is_asked_for_again_once_it_is_gone() -> None:
    bench = Bench(endpoint("a", state=ModelState.UNLOADING))
    bench.fleet.changes = [UNLOADED, LOADING, READY]
    await complete(bench)
    assert bench.fleet.loads == ["a", "a"]


async def test_a_model_that_is_unloaded_while_it_loads_is_asked_for_again() -> None:
    bench = Bench(UNLOADED)
    bench.fleet.changes = [LOADING, UNLOADED, LOADING, READY]
    await complete(bench)
    assert bench.fleet.loads == ["a", "a"]


async def test_a_failed_load_tells_the_fleets_reason() -> None:
    bench = Bench(UNLOADED)
    bench.fleet.changes = [LOADING, failed("context of 4096 needs 2 GiB more")]
    with pytest.raises(EngineUnavailable, match="needs 2 GiB more"):
        await complete(bench)
    assert bench.statuses == [("a", 503)]
    bench.assert_balanced()


async def test_a_model_that_failed_before_gets_one_new_chance() -> None:
    bench = Bench(failed("old"))
    bench.fleet.on_load = lambda _: bench.fleet.put(LOADING)
    bench.fleet.changes = [READY]
    await complete(bench)
    assert bench.fleet.loads == ["a"]


async def test_an_old_failure_may_be_shown_for_a_moment_after_the_request() -> None:
    bench = Bench(failed("old"))
    bench.fleet.changes = [failed("still the old one"), LOADING, READY]
    await complete(bench)
    assert bench.fleet.loads == ["a"]


async def test_an_upstream_that_does_not_answer_is_not_waited_for() -> None:
    away = endpoint("a", state=ModelState.FAILED, engine=EngineKind.OPENAI_HTTP, error="no connection")
    bench = Bench(away)
    with pytest.raises(EngineUnavailable, match="no connection"):
        await complete(bench)
    assert bench.fleet.loads == []


async def test_a_refused_load_makes_the_model_unavailable() -> None:
    bench = Bench(UNLOADED)

    def refuse(_: str) -> None:
        raise OutOfMemory("2 GiB are missing", needed_bytes=4, free_bytes=2)

    bench.fleet.on_load = refuse
    with pytest.raises(EngineUnavailable, match="cannot be loaded: 2 GiB are missing"):
        await complete(bench)
    assert bench.statuses == [("a", 503)]


async def test_a_model_that_stays_failed_is_given_up_soon() -> None:
    bench = Bench(failed("no such file"))
    started_at_s = bench.clock()
    with pytest.raises(EngineUnavailable, match="no such file"):
        await complete(bench)
    assert bench.fleet.loads == ["a"]
    assert bench.clock() - started_at_s == 6.0


async def test_a_model_that_may_not_be_loaded_on_demand_is_unavailable_at_once() -> None:
    bench = Bench(endpoint("a", state=ModelState.UNLOADED, load_on_demand=False))
    with pytest.raises(EngineUnavailable, match="not loaded on demand"):
        await complete(bench)
    assert bench.fleet.loads == []


async def test_a_load_that_takes_too_long_is_given_up() -> None:
    bench = Bench(LOADING, load_timeout_s=20.0)
    started_at_s = bench.clock()
    with pytest.raises(EngineUnavailable, match="not loaded within 20 s"):
        await complete(bench)
    assert bench.clock() - started_at_s == 20.0


async def test_the_requests_own_deadline_comes_first() -> None:
    bench = Bench(LOADING, load_timeout_s=20.0)
    with pytest.raises(EngineTimeout):
        await complete(bench, deadline_s=5.0)
    assert bench.statuses == [("a", 504)]


async def test_a_model_that_leaves_the_fleet_is_not_found() -> None:
    bench = Bench(LOADING)
    bench.fleet.on_load = None
    task = asyncio.create_task(complete(bench))
    await asyncio.sleep(0)
    bench.fleet._snapshot = snapshot(endpoint("b"), version=9)
    with pytest.raises(ModelNotFound, match="removed"):
        await task


async def test_auto_takes_another_model_when_the_load_fails() -> None:
    bench = Bench(UNLOADED, endpoint("b", state=ModelState.UNLOADED), script=(chat_answer(),))
    bench.fleet.changes = [
        LOADING,
        failed("no memory"),
        endpoint("b"),
    ]
    completed = await bench.orchestrator.complete(routing_request(), engine_request())
    assert completed.decision.model_id == "b"
    assert bench.statuses == [("a", 503), ("b", 200)]


async def test_cancelling_while_it_loads_leaves_nothing_behind() -> None:
    bench = Bench(LOADING)
    task = asyncio.create_task(complete(bench))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.statuses == [("a", 499)]
    assert bench.fleet.in_flight == {"a": 0}
