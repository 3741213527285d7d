import asyncio

import pytest

from neuroforge.contracts.chat import LabelRequest, PromptText
from neuroforge.contracts.models import EngineKind, ModelState, Price
from neuroforge.errors import EngineOverloaded, EngineTimeout, EngineUnavailable, ModelNotFound, RequestError
from tests.fakes import chat_answer, endpoint, engine_request, routing_request
from tests.unit.orchestrator.bench import Bench

REFUSED = EngineUnavailable("a: no connection", may_have_begun=False)
LOST = EngineUnavailable("a: connection lost", may_have_begun=True)
FULL = EngineOverloaded("a: its queue is full", retry_after_s=2.0)


async def test_the_answer_comes_with_its_decision() -> None:
    bench = Bench(endpoint("a"), script=(chat_answer("Hi."),))
    completed = await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert completed.body == chat_answer("Hi.")
    assert completed.decision.model_id == "a"
    bench.assert_balanced()


async def test_the_outcome_tells_tokens_cost_and_reason() -> None:
    price = Price(input_usd_per_million=1.0, output_usd_per_million=10.0)
    bench = Bench(endpoint("a", price=price), script=(chat_answer(n_tokens=2),))
    completed = await bench.orchestrator.complete(routing_request("a"), engine_request())
    (outcome,) = bench.outcomes
    assert outcome.decision_id == completed.decision.decision_id
    assert (outcome.n_prompt_tokens, outcome.n_completion_tokens, outcome.finish_reason) == (5, 2, "stop")
    assert outcome.cost_usd == pytest.approx(25e-6)


@pytest.mark.parametrize("body", [{"choices": "x", "usage": {"prompt_tokens": "many"}}, {"choices": [1]}, {}])
async def test_an_answer_of_odd_form_passes_and_counts_nothing(body: dict[str, object]) -> None:
    bench = Bench(endpoint("a"), script=(body,))
    assert (await bench.orchestrator.complete(routing_request("a"), engine_request())).body == body
    assert (bench.outcomes[0].n_prompt_tokens, bench.outcomes[0].finish_reason) == (0, None)


async def test_a_refused_request_is_reported_and_not_tried_again() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=(RequestError("bad schema"),))
    with pytest.raises(RequestError):
        await bench.orchestrator.complete(routing_request(), engine_request())
    assert bench.statuses == [("a", 400)]
    bench.assert_balanced()


async def test_errors_of_the_decision_come_through() -> None:
    bench = Bench(endpoint("a"))
    with pytest.raises(ModelNotFound):
        await bench.orchestrator.complete(routing_request("b"), engine_request())
    assert bench.outcomes == []


async def test_the_same_model_is_asked_again_with_growing_pauses() -> None:
    bench = Bench(endpoint("a"), script=(REFUSED, REFUSED, REFUSED, REFUSED, chat_answer()))
    await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert bench.called == ["a"] * 5
    ceilings_s = [0.1, 0.2, 0.4, 0.8]
    assert all(ceiling / 2 <= pause <= ceiling for pause, ceiling in zip(bench.clock.sleeps_s, ceilings_s, strict=True))
    assert bench.statuses == [("a", 200)]


async def test_what_may_have_killed_an_engine_is_tried_three_times_at_most() -> None:
    bench = Bench(endpoint("a"), script=(LOST,))
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert bench.called == ["a"] * 3
    assert bench.statuses == [("a", 503)]


async def test_the_limit_of_attempts_holds_over_all_models() -> None:
    bench = Bench(*(endpoint(name) for name in "abcde"), script=(LOST,))
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.complete(routing_request(), engine_request())
    assert len(bench.called) == 3
    bench.assert_balanced()


async def test_a_model_that_never_answers_is_given_up_after_the_recovery_time() -> None:
    bench = Bench(endpoint("a"), script=(REFUSED,), recovery_timeout_s=10.0)
    started_at_s = bench.clock()
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert 9.0 <= bench.clock() - started_at_s <= 10.0


async def test_no_pause_goes_beyond_the_deadline() -> None:
    bench = Bench(endpoint("a"), script=(REFUSED,))
    started_at_s = bench.clock()
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.complete(routing_request("a"), engine_request(deadline_s=2.0))
    assert bench.clock() - started_at_s < 2.0


async def test_a_model_that_reloads_meanwhile_is_waited_for() -> None:
    bench = Bench(endpoint("a"))

    def crash() -> EngineUnavailable:
        bench.fleet.put(endpoint("a", state=ModelState.LOADING))
        bench.fleet.changes = [endpoint("a")]
        return LOST

    bench.engine.script = [crash, chat_answer("Back.")]
    completed = await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert completed.body == chat_answer("Back.")
    bench.assert_balanced()


async def test_retries_get_what_is_left_of_the_deadline() -> None:
    bench = Bench(endpoint("a"))

    def slow_failure() -> EngineUnavailable:
        bench.clock.advance(10.0)
        return LOST

    bench.engine.script = [slow_failure, chat_answer()]
    await bench.orchestrator.complete(routing_request("a"), engine_request(deadline_s=30.0))
    deadlines_s = [request.deadline_s for _, request in bench.engine.calls]
    assert deadlines_s[0] == 30.0
    assert deadlines_s[1] == pytest.approx(20.0 - bench.clock.sleeps_s[0])


async def test_auto_goes_to_the_next_ready_model_at_once() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=(LOST, chat_answer("From b.")))
    completed = await bench.orchestrator.complete(routing_request(), engine_request())
    assert (completed.decision.model_id, completed.decision.reason) == ("b", "fallback")
    assert bench.statuses == [("a", 503), ("b", 200)]
    assert bench.clock.sleeps_s == []
    bench.assert_balanced()


async def test_auto_leaves_an_overloaded_model() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=(FULL, chat_answer()))
    assert (await bench.orchestrator.complete(routing_request(), engine_request())).decision.model_id == "b"


async def test_auto_with_all_models_overloaded_says_so() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=(FULL,))
    with pytest.raises(EngineOverloaded):
        await bench.orchestrator.complete(routing_request(), engine_request())
    assert bench.statuses == [("a", 429), ("b", 429)]


async def test_a_named_model_that_is_overloaded_is_not_asked_again() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=(FULL,))
    with pytest.raises(EngineOverloaded):
        await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert bench.called == ["a"]


async def test_auto_with_one_model_asks_it_again() -> None:
    bench = Bench(endpoint("a"), script=(REFUSED, chat_answer()))
    await bench.orchestrator.complete(routing_request(), engine_request())
    assert bench.called == ["a", "a"]


async def test_an_upstream_was_retried_by_the_client_already() -> None:
    bench = Bench(endpoint("a", engine=EngineKind.OPENAI_HTTP), script=(REFUSED,))
    with pytest.raises(EngineUnavailable):
        await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert bench.called == ["a"]


async def test_a_timeout_is_final() -> None:
    bench = Bench(endpoint("a"), endpoint("b"), script=(EngineTimeout("late"),))
    with pytest.raises(EngineTimeout):
        await bench.orchestrator.complete(routing_request(), engine_request())
    assert bench.statuses == [("a", 504)]


async def test_a_cancelled_request_is_reported_as_499() -> None:
    bench = Bench(endpoint("a"))
    task = asyncio.create_task(bench.orchestrator.complete(routing_request("a"), engine_request()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.statuses == [("a", 499)]
    bench.assert_balanced()


async def test_a_bug_is_reported_as_500_and_leaves_nothing_behind() -> None:
    bench = Bench(endpoint("a"), script=(ZeroDivisionError("bug"),))
    with pytest.raises(ZeroDivisionError):
        await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert bench.statuses == [("a", 500)]
    bench.assert_balanced()


async def test_tokens_are_counted_by_the_named_model_without_an_outcome() -> None:
    bench = Bench(endpoint("a"))
    count = await bench.orchestrator.count_tokens(routing_request("a"), PromptText(text="hello"))
    assert count.n_tokens == 7
    assert bench.outcomes == []
    bench.assert_balanced()


async def test_counting_is_retried_as_well() -> None:
    bench = Bench(endpoint("a"), script=(REFUSED, chat_answer()))
    await bench.orchestrator.count_tokens(routing_request("a"), PromptText(text="hello"))
    assert bench.called == ["a", "a"]


async def test_labels_are_scored_by_the_named_model() -> None:
    bench = Bench(endpoint("a"))
    request = LabelRequest(prompt=PromptText(text="Pick"), labels=("A", "B"))
    answer = await bench.orchestrator.label_logprobs(routing_request("a"), request)
    assert [score.label for score in answer.scores] == ["A", "B"]


async def test_the_outcome_tells_whether_the_answer_is_the_json_that_was_asked_for() -> None:
    bench = Bench(endpoint("a"), script=(chat_answer("{}"), chat_answer("no"), chat_answer("text")))
    body = {"messages": [], "response_format": {"type": "json_object"}}
    for asked in (body, body, {"messages": []}):
        await bench.orchestrator.complete(routing_request("a"), engine_request(body=asked))
    assert [outcome.is_schema_valid for outcome in bench.outcomes] == [True, False, None]
    assert [outcome.answer for outcome in bench.outcomes] == [None, None, None], "texts are kept only when allowed"


async def test_a_deadline_that_passed_counts_the_prompt() -> None:
    bench = Bench(endpoint("a"), script=(EngineTimeout("late"),))
    with pytest.raises(EngineTimeout):
        await bench.orchestrator.complete(routing_request("a"), engine_request(n_prompt_tokens_estimate=9))
    assert bench.outcomes[0].n_prompt_tokens == 9
