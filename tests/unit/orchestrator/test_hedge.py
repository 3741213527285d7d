import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.models import EngineStats, Price
from neuroforge.contracts.routing import Chunk, Decided
from neuroforge.errors import EngineTimeout, EngineUnavailable, RequestError
from neuroforge.orchestrator.breaker import BreakerLimits
from neuroforge.orchestrator.hedge import UNKNOWN_FACTOR, HedgeBudget, LatencyTail
from tests.fakes import endpoint, engine_request, routing_request
from tests.unit.orchestrator.bench import TimedBench
from tests.unit.orchestrator.predicting import PredictingRouter, prediction

A, B, C = endpoint("a"), endpoint("b"), endpoint("c")
ALWAYS = {"hedge_share": 1.0}
NEVER = {"hedge_share": 0.0}


def bench(*models: Any, takes_s: dict[str, float], **limits: Any) -> TimedBench:
    """Every model is expected to take 1 s."""
    models = models or (A, B)
    router = PredictingRouter(*(prediction(model.model_id) for model in models))
    return TimedBench(*models, takes_s=takes_s, router=router, **limits)


async def ask(here: TimedBench, **request: Any) -> Any:
    return await here.run(here.orchestrator.complete(routing_request(), engine_request(**request)))


async def until_called(here: TimedBench, n_calls: int) -> None:
    while len(here.called) < n_calls:
        await here.time.pass_s(0.1)


def assert_idle(here: TimedBench) -> None:
    assert here.engine.n_running == 0
    assert not any(here.fleet.in_flight.values())


async def test_a_late_answer_is_overtaken_by_the_next_best_model() -> None:
    here = bench(takes_s={"a": 100.0, "b": 1.0}, **ALWAYS)
    completed = await ask(here)
    assert completed.decision.model_id == "b"
    assert here.time() - 1000.0 == pytest.approx(UNKNOWN_FACTOR * 1.0 + 1.0)
    assert here.engine.cancelled == ["a"], "the loser's slot is free"
    assert sorted(here.statuses) == [("a", 499), ("b", 200)]
    assert [one.error_code for one in here.outcomes if one.model_id == "a"] == ["hedge_lost"]
    assert_idle(here)


async def test_the_first_may_still_win_and_the_hedge_is_cancelled() -> None:
    here = bench(takes_s={"a": 3.5, "b": 9.0}, **ALWAYS)
    assert (await ask(here)).decision.model_id == "a"
    assert here.engine.cancelled == ["b"]
    assert ("neuroforge_hedges_total", 1.0, {"model": "b", "result": "lost"}) in here.metrics.told
    assert_idle(here)


async def test_an_answer_in_time_is_not_hedged() -> None:
    here = bench(takes_s={"a": 2.9, "b": 0.1}, **ALWAYS)
    assert (await ask(here)).decision.model_id == "a"
    assert here.called == ["a"]


async def test_what_the_loser_used_is_counted_at_its_price() -> None:
    slow = endpoint(
        "a",
        price=Price(input_usd_per_million=1.0, output_usd_per_million=10.0),
        stats=EngineStats(slots_total=4, slots_busy=1, queued=0, ttft_s=1.0, s_per_token=0.5),
    )
    here = bench(slow, B, takes_s={"a": 100.0, "b": 1.0}, **ALWAYS)
    completed = await ask(here, n_prompt_tokens_estimate=7)
    (spent,) = completed.spent
    assert spent.model_id == "a"
    assert (spent.usage.n_prompt_tokens, spent.usage.n_completion_tokens) == (7, 6), "(4 s - 1 s) at 0.5 s a token"
    assert spent.cost_usd == pytest.approx(67e-6)


async def test_no_hedge_without_budget() -> None:
    here = bench(takes_s={"a": 4.0, "b": 0.1}, **NEVER)
    assert (await ask(here)).decision.model_id == "a"
    assert here.called == ["a"]


async def test_no_hedge_on_a_model_without_a_free_slot() -> None:
    here = bench(A, endpoint("b", parallel=1), takes_s={"a": 4.0, "b": 0.1}, **ALWAYS)
    here.router.in_flight["b"] = 1
    assert (await ask(here)).decision.model_id == "a"


@pytest.mark.parametrize("reason", ["pinned", "holdout"])
async def test_a_rule_s_choice_is_not_hedged_nor_given_up(reason: Any) -> None:
    router = PredictingRouter(prediction("a"), prediction("b"), reason=reason)
    here = TimedBench(A, B, takes_s={"a": 25.0}, router=router, **ALWAYS)
    assert (await ask(here)).decision.model_id == "a"
    assert here.called == ["a"]


async def test_a_named_model_is_waited_for() -> None:
    here = bench(takes_s={"a": 25.0}, **ALWAYS)
    work = here.orchestrator.complete(routing_request("a"), engine_request())
    assert (await here.run(work)).decision.model_id == "a"


async def test_embeddings_are_never_hedged() -> None:
    here = bench(takes_s={"a": 25.0}, **ALWAYS)
    assert (await ask(here, route="embeddings")).decision.model_id == "a"


async def test_without_a_hedge_a_slow_model_is_given_up_for_the_next() -> None:
    here = bench(takes_s={"a": 100.0, "b": 1.0}, slow_factor=4.0, slow_min_s=2.0, **NEVER)
    completed = await ask(here)
    assert completed.decision.model_id == "b"
    assert here.time() - 1000.0 == pytest.approx(5.0)
    assert sorted(here.statuses) == [("a", 504), ("b", 200)]
    assert ("neuroforge_fallbacks_total", 1.0, {"model": "a", "reason": "slow"}) in here.metrics.told
    assert [one.error_code for one in here.outcomes if one.model_id == "a"] == ["too_slow"]
    assert_idle(here)


async def test_half_of_the_deadline_is_left_for_another_model() -> None:
    here = bench(takes_s={"a": 100.0, "b": 1.0}, slow_share=0.5, **NEVER)
    completed = await ask(here, deadline_s=4.0)
    assert completed.decision.model_id == "b"
    assert here.time() - 1000.0 == pytest.approx(3.0)


async def test_a_model_that_needs_the_time_is_not_given_up_at_half_of_the_deadline() -> None:
    router = PredictingRouter(prediction("a", latency_s=20.0), prediction("b", latency_s=1.0))
    here = TimedBench(A, B, takes_s={"a": 22.0}, router=router, **NEVER)
    assert (await ask(here, deadline_s=30.0)).decision.model_id == "a"


async def test_a_model_that_cannot_make_the_deadline_is_no_replacement() -> None:
    router = PredictingRouter(prediction("a", latency_s=1.0), prediction("b", latency_s=20.0))
    here = TimedBench(A, B, takes_s={"a": 22.0, "b": 1.0}, router=router, **NEVER)
    assert (await ask(here, deadline_s=24.0)).decision.model_id == "a"


async def test_the_attempts_of_one_request_are_limited() -> None:
    here = bench(A, B, C, endpoint("d"), endpoint("e"), takes_s=dict.fromkeys("abcde", 90.0), slow_min_s=1.0, **NEVER)
    await ask(here, deadline_s=500.0)
    assert here.called == ["a", "b", "c", "d"]


async def test_an_error_while_a_hedge_runs_leaves_the_answer_to_the_hedge() -> None:
    here = bench(takes_s={"a": 3.5, "b": 2.0}, **ALWAYS)
    here.engine.error_by_model["a"] = EngineUnavailable("a: gone")
    assert (await ask(here)).decision.model_id == "b"
    assert ("neuroforge_hedges_total", 1.0, {"model": "b", "result": "won"}) in here.metrics.told


async def test_an_error_falls_back_and_counts() -> None:
    here = bench(takes_s={})
    here.engine.error_by_model["a"] = EngineUnavailable("a: gone")
    assert (await ask(here)).decision.model_id == "b"
    assert ("neuroforge_fallbacks_total", 1.0, {"model": "a", "reason": "error"}) in here.metrics.told


@pytest.mark.parametrize("error", [RequestError("bad"), EngineTimeout("late")])
async def test_what_another_model_would_not_change_ends_the_race(error: Exception) -> None:
    here = bench(takes_s={"a": 3.5, "b": 9.0}, **ALWAYS)
    here.engine.error_by_model["a"] = error
    with pytest.raises(type(error)):
        await ask(here)
    assert here.engine.cancelled == ["b"]
    assert_idle(here)


async def test_cancelling_the_request_cancels_all_of_its_attempts() -> None:
    here = bench(takes_s={"a": 100.0, "b": 100.0}, **ALWAYS)
    work = asyncio.create_task(here.orchestrator.complete(routing_request(), engine_request()))
    hedged = asyncio.create_task(until_called(here, 2))
    await here.time.drive(hedged)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(here.engine.cancelled) == ["a", "b"]
    assert {one.error_code for one in here.outcomes} == {"client_closed"}
    assert_idle(here)


async def test_a_stream_is_hedged_until_its_first_token() -> None:
    here = bench(takes_s={"a": 100.0, "b": 1.0}, **ALWAYS)
    events = await here.run(here.collect(n_prompt_tokens_estimate=7))
    assert isinstance(events[0], Decided)
    assert events[0].decision.model_id == "b"
    assert [one.usage.n_prompt_tokens for one in events[0].spent] == [7]
    assert isinstance(events[1], Chunk)
    assert here.engine.cancelled == ["a"]
    assert_idle(here)


async def test_a_slow_stream_is_given_up_before_its_first_token() -> None:
    here = bench(takes_s={"a": 100.0, "b": 1.0}, **NEVER)
    events = await here.run(here.collect())
    assert [one.decision.model_id for one in events if isinstance(one, Decided)] == ["b"]
    assert sorted(here.statuses) == [("a", 504), ("b", 200)]


async def test_failing_models_are_left_out_until_their_circuit_closes() -> None:
    here = bench(takes_s={}, breaker=BreakerLimits(min_calls=2, open_s=10.0))
    here.engine.error_by_model["a"] = EngineUnavailable("a: gone")
    for _ in range(2):
        await ask(here)
    del here.engine.error_by_model["a"]
    assert (await ask(here)).decision.model_id == "b"
    assert here.router.requests[-1].open_circuits == {"a"}
    assert (here.orchestrator.route(routing_request()).candidates[0].filtered) == "circuit_open"
    here.time.advance(10.0)
    assert (await ask(here)).decision.model_id == "a"


async def test_a_named_model_with_an_open_circuit_is_refused_at_once() -> None:
    here = bench(A, takes_s={}, breaker=BreakerLimits(min_calls=1, open_s=10.0))
    here.engine.error_by_model["a"] = EngineUnavailable("a: gone")
    with pytest.raises(EngineUnavailable):
        await here.run(here.orchestrator.complete(routing_request("a"), engine_request()))
    n_calls = len(here.called)
    with pytest.raises(EngineUnavailable, match="too many") as caught:
        await here.run(here.orchestrator.complete(routing_request("a"), engine_request()))
    assert caught.value.context["retry_after_s"] == pytest.approx(10.0)
    assert len(here.called) == n_calls
    assert_idle(here)


async def test_a_caller_s_own_short_deadline_opens_no_circuit() -> None:
    here = bench(A, takes_s={}, breaker=BreakerLimits(min_calls=1))
    here.engine.error_by_model["a"] = EngineTimeout("late")
    for _ in range(3):
        with pytest.raises(EngineTimeout):
            await here.run(here.orchestrator.complete(routing_request("a"), engine_request()))


def test_the_budget_starts_empty_and_saves_little() -> None:
    budget = HedgeBudget(0.05)
    for _ in range(19):
        budget.earn()
    assert not budget.has_one
    budget.earn()
    assert budget.has_one
    for _ in range(1000):
        budget.earn()
    n = 0
    while budget.has_one:
        budget.spend()
        n += 1
    assert n == 5


@given(st.lists(st.booleans(), max_size=300), st.floats(0, 1))
def test_never_more_than_the_share_is_hedged(wants: list[bool], share: float) -> None:
    budget, n_hedges = HedgeBudget(share), 0
    for n_requests, is_late in enumerate(wants, start=1):
        budget.earn()
        if is_late and budget.has_one:
            budget.spend()
            n_hedges += 1
        assert n_hedges <= share * n_requests + 1e-6


def test_the_tail_follows_what_was_seen() -> None:
    tail = LatencyTail(0.95)
    assert tail.factor == UNKNOWN_FACTOR
    for place in range(100):
        tail.add(float(place), 10.0)
    assert tail.factor == pytest.approx(9.5)
    for _ in range(200):
        tail.add(1.0, 10.0)
    assert tail.factor == pytest.approx(1.2), "not below the least that counts as late"
