import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.models import Price
from neuroforge.contracts.routing import Spent
from neuroforge.contracts.tasks import Task, TaskResult
from neuroforge.errors import EngineUnavailable, ModelNotFound, PermissionDenied, RequestError
from tests.fakes import chat_answer, endpoint, routing_request
from tests.unit.orchestrator.bench import TimedBench
from tests.unit.orchestrator.predicting import PredictingRouter, prediction

ASKED = ({"role": "user", "content": "What is 2 + 2?"},)
DEAR = Price(input_usd_per_million=1e6, output_usd_per_million=1e6)
ABLE = frozenset({"chat", "logprobs", "json_object", "seed"})
Reply = Callable[[EngineRequest], JsonObject]


def says(*texts: str, logprob: float | None = None) -> Reply:
    """One text a call, the last again and again."""
    left = list(texts)

    def answer(_request: EngineRequest) -> JsonObject:
        body = chat_answer(left.pop(0) if len(left) > 1 else left[0])
        if logprob is not None:
            body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": logprob}]}
        return body

    return answer


def bench(quality: dict[str, float], takes_s: dict[str, float] | None = None, **limits: Any) -> TimedBench:
    """A fleet whose best model comes first; a dearer one costs a cent more than the one before."""
    models = [endpoint(name, price=DEAR, capabilities=ABLE) for name in quality]
    order = sorted(quality, key=lambda one: -quality[one])
    cost = {name: 0.01 * place for place, name in enumerate(sorted(quality, key=lambda one: quality[one]))}
    router = PredictingRouter(*(prediction(one, quality=quality[one], cost_usd=cost[one]) for one in order))
    return TimedBench(*models, takes_s=takes_s, router=router, **{"hedge_share": 0.0, **limits})


async def run(here: TimedBench, model: str | None = None, **task: Any) -> TaskResult:
    given = task if task.get("mode") == "parallel" else {"messages": ASKED, **task}
    result: TaskResult = await here.run(
        here.orchestrator.execute_task(Task.model_validate(given), routing_request(model))
    )
    here_idle(here)
    return result


def here_idle(here: TimedBench) -> None:
    assert here.engine.n_running == 0
    assert not any(here.fleet.in_flight.values())


def usage_of(n_calls: int) -> tuple[int, int]:
    usage = chat_answer("x")["usage"]
    return n_calls * usage["prompt_tokens"], n_calls * usage["completion_tokens"]


async def test_a_single_task_is_answered_by_the_best_model() -> None:
    result = await run(bench({"a": 0.9, "b": 0.1}))
    assert (result.text, result.winner, result.members[0].model_id) == ("From a.", 0, "a")
    assert result.members[0].predicted_quality == 0.9
    assert result.body is not None
    assert result.body["model"] == "a"


async def test_a_failed_single_task_raises_what_the_model_said() -> None:
    here = bench({"a": 0.9})
    here.engine.error_by_model["a"] = RequestError("no such thing")
    with pytest.raises(RequestError, match="no such thing"):
        await run(here)


async def test_parallel_answers_come_in_the_prompts_order_whoever_is_first() -> None:
    here = bench({"a": 0.9}, max_fan_out=2)
    here.engine.answer_by_model["a"] = lambda request: chat_answer(request.body["messages"][-1]["content"].upper())
    result = await run(here, mode="parallel", prompts=("x", "y", "z"))
    assert [one.text for one in result.members] == ["X", "Y", "Z"]
    assert (result.text, result.winner) == (None, None)
    assert here.engine.n_peak == 2, "no more at once than the fan-out allows"
    assert (result.usage.n_prompt_tokens, result.usage.n_completion_tokens) == usage_of(3)


async def test_one_failed_prompt_loses_no_other() -> None:
    here = bench({"a": 0.9})

    def answer(request: EngineRequest) -> JsonObject:
        if request.body["messages"][-1]["content"] == "bad":
            raise RequestError("cannot do that")
        return chat_answer("fine")

    here.engine.answer_by_model["a"] = answer
    result = await run(here, mode="parallel", prompts=("good", "bad", "good"))
    assert [(one.text, one.error) for one in result.members] == [
        ("fine", None),
        (None, "cannot do that"),
        ("fine", None),
    ]


async def test_when_all_prompts_fail_so_does_the_task() -> None:
    here = bench({"a": 0.9})
    here.engine.error_by_model["a"] = RequestError("cannot do that")
    with pytest.raises(RequestError, match="cannot do that"):
        await run(here, mode="parallel", prompts=("x", "y"))


async def test_parallel_prompts_follow_the_shared_messages() -> None:
    here = bench({"a": 0.9})
    shared = ({"role": "system", "content": "Be brief."},)
    task = Task(mode="parallel", messages=shared, prompts=("x",))
    await here.run(here.orchestrator.execute_task(task, routing_request()))
    assert here.engine.calls[0][1].body["messages"] == [*shared, {"role": "user", "content": "x"}]


async def test_creative_asks_every_model_before_it_repeats_one_and_hotter_then() -> None:
    here = bench({"a": 0.9, "b": 0.5})
    result = await run(here, mode="creative", n=3)
    assert here.called == ["a", "b", "a"]
    assert [one.body["temperature"] for _, one in here.engine.calls] == [0.8, 0.8, 0.9]
    assert (result.winner, [one.score for one in result.members]) == (0, [0.9, 0.5, 0.9])


async def test_seeds_of_candidates_follow_the_callers_seed_and_its_temperature_stays() -> None:
    here = bench({"a": 0.9})
    await run(here, mode="creative", n=2, options={"seed": 7, "temperature": 0.1})
    assert [(one.body["seed"], one.body["temperature"]) for _, one in here.engine.calls] == [(7, 0.1), (8, 0.1)]


async def test_creative_by_logprob_takes_the_surest_candidate() -> None:
    here = bench({"a": 0.9, "b": 0.5})
    here.engine.answer_by_model |= {"a": says("dull", logprob=math.log(0.2)), "b": says("bright", logprob=-0.1)}
    result = await run(here, mode="creative", n=2, scorer="logprob")
    assert (result.text, result.winner) == ("bright", 1)
    assert all(one.body["logprobs"] for _, one in here.engine.calls)
    assert "logprobs" in here.engine.calls[0][1].requirements


async def test_creative_by_judge_takes_what_the_judge_likes_and_counts_the_judge() -> None:
    here = bench({"a": 0.9, "b": 0.5, "judge": 0.7})
    here.engine.answer_by_model["judge"] = lambda request: chat_answer(
        "9" if "From b." in request.body["messages"][-1]["content"] else "2"
    )
    result = await run(here, mode="creative", n=2, models=("a", "b"), scorer="judge", judge="judge")
    assert (result.text, [one.score for one in result.members]) == ("From b.", [0.2, 0.9])
    assert (result.usage.n_prompt_tokens, result.usage.n_completion_tokens) == usage_of(4)
    judged = here.engine.calls[-1][1].body
    assert (judged["temperature"], judged["max_tokens"]) == (0, 8)


async def test_an_unreadable_judge_scores_nothing_and_the_first_candidate_stands() -> None:
    here = bench({"a": 0.9, "judge": 0.7})
    here.engine.answer_by_model["judge"] = says("I like it")
    result = await run(here, mode="creative", n=2, models=("a",), scorer="judge", judge="judge")
    assert (result.winner, [one.score for one in result.members]) == (0, [None, None])


async def test_a_schema_scorer_needs_a_schema() -> None:
    with pytest.raises(RequestError, match="no response_format"):
        await run(bench({"a": 0.9}), mode="creative", scorer="json_schema")


async def test_consensus_counts_equal_answers_together_and_tells_the_share() -> None:
    here = bench({"a": 0.9})
    here.engine.answer_by_model["a"] = says("5", "The answer is 4.", "4", "4", "6")
    result = await run(here, mode="consensus", n=5, options={"temperature": 1})
    assert result.text in ("The answer is 4.", "4")
    assert result.agreement == pytest.approx(3 / 5)
    assert [one.score for one in result.members] == pytest.approx([1 / 5, 3 / 5, 3 / 5, 3 / 5, 1 / 5])


async def test_a_vote_weighs_what_the_router_expects_of_its_model() -> None:
    here = bench({"a": 0.9, "b": 0.2, "c": 0.2})
    here.engine.answer_by_model |= {"a": says("yes"), "b": says("no"), "c": says("no")}
    result = await run(here, mode="consensus", n=3, models=("a", "b", "c"))
    assert (result.text, result.agreement) == ("yes", pytest.approx(0.9 / 1.3))


async def test_much_worse_models_get_no_vote_unless_they_are_named() -> None:
    here = bench({"a": 0.9, "b": 0.85, "c": 0.2})
    await run(here, mode="consensus", n=3)
    assert sorted(here.called) == ["a", "a", "b"]


async def test_votes_that_change_nothing_any_more_are_cancelled_and_paid() -> None:
    here = bench({"a": 0.9, "b": 0.9, "c": 0.9}, takes_s={"c": 100.0})
    here.engine.answer_by_model |= {"a": says("4"), "b": says("4")}
    result = await run(here, mode="consensus", n=3, models=("a", "b", "c"), stop_early=True)
    assert here.engine.cancelled == ["c"]
    assert here.time() < 1100.0
    assert [one.model_id for one in result.members] == ["a", "b"]
    assert result.usage.n_prompt_tokens > usage_of(2)[0], "the cancelled one's prompt was read"


async def test_consensus_survives_a_failed_member() -> None:
    here = bench({"a": 0.9, "b": 0.9})
    here.engine.error_by_model["b"] = RequestError("broken")
    result = await run(here, mode="consensus", n=2, models=("a", "b"))
    assert (result.text, result.agreement, result.members[1].error) == ("From a.", 1.0, "broken")


async def test_a_cascade_stops_at_the_cheap_model_when_its_samples_agree() -> None:
    here = bench({"big": 0.9, "small": 0.4})
    here.engine.answer_by_model["small"] = says("4")
    result = await run(here, mode="cascade", n=3)
    assert (result.text, result.escalations, result.agreement) == ("4", 0, 1.0)
    assert set(here.called) == {"small"}


async def test_a_cascade_escalates_when_samples_disagree_and_asks_the_last_model_once() -> None:
    here = bench({"big": 0.9, "small": 0.4})
    here.engine.answer_by_model["small"] = says("1", "2", "3")
    result = await run(here, mode="cascade", n=3)
    assert (result.text, result.escalations, result.agreement) == ("From big.", 1, pytest.approx(1 / 3))
    assert sorted(here.called) == ["big", "small", "small", "small"]
    assert (result.usage.n_prompt_tokens, result.usage.n_completion_tokens) == usage_of(4)


async def test_a_cascade_leaves_out_a_dearer_model_that_promises_nothing_more() -> None:
    models = [endpoint(name, capabilities=ABLE) for name in ("good", "dear")]
    router = PredictingRouter(
        prediction("good", quality=0.6, cost_usd=0.1), prediction("dear", quality=0.5, cost_usd=0.2)
    )
    here = TimedBench(*models, router=router, hedge_share=0.0)
    await run(here, mode="cascade", verifier="logprob")
    assert here.called == ["good"]


@pytest.mark.parametrize(("logprob", "model"), [(math.log(0.9), "small"), (math.log(0.3), "big")])
async def test_a_cascade_by_logprob_escalates_the_unsure(logprob: float, model: str) -> None:
    here = bench({"big": 0.9, "small": 0.4})
    here.engine.answer_by_model |= {"small": says("s", logprob=logprob), "big": says("b", logprob=-0.1)}
    result = await run(here, mode="cascade", verifier="logprob", threshold=0.6)
    assert result.winner is not None
    assert result.members[result.winner].model_id == model


async def test_a_cascade_by_schema_escalates_what_is_no_such_json() -> None:
    here = bench({"big": 0.9, "small": 0.4})
    here.engine.answer_by_model |= {"small": says("not json"), "big": says('{"n": 1}')}
    options = {"response_format": {"type": "json_object"}}
    result = await run(here, mode="cascade", verifier="json_schema", options=options)
    assert (result.text, result.members[0].score) == ('{"n": 1}', 0.0)


async def test_a_failing_cheap_model_is_escalated() -> None:
    here = bench({"big": 0.9, "small": 0.4})
    here.engine.error_by_model["small"] = EngineUnavailable("gone", may_have_begun=False)
    result = await run(here, mode="cascade", models=("small", "big"), verifier="logprob", deadline_s=30)
    assert (result.text, result.escalations) == ("From big.", 1)
    assert result.members[0].error == "gone"


async def test_a_named_model_is_the_only_member() -> None:
    here = bench({"a": 0.9, "b": 0.8})
    result = await run(here, model="b", mode="consensus", n=2)
    assert {one.model_id for one in result.members} == {"b"}


async def test_an_unknown_member_is_named_before_anything_is_asked() -> None:
    here = bench({"a": 0.9})
    with pytest.raises(ModelNotFound, match="'nope' does not exist; known: a"):
        await run(here, mode="consensus", models=("a", "nope"))
    assert here.called == []


async def test_a_key_reaches_no_member_that_it_may_not_use() -> None:
    here = bench({"a": 0.9, "b": 0.8})
    caller = routing_request(allowed_models=frozenset({"a"}))
    task = Task(mode="creative", messages=ASKED, models=("b",), n=1)
    with pytest.raises(PermissionDenied):
        await here.run(here.orchestrator.execute_task(task, caller))
    assert here.called == []


async def test_a_task_keeps_its_deadline() -> None:
    here = bench({"a": 0.9}, takes_s={"a": 3.0}, max_fan_out=1)
    result = await run(here, mode="parallel", prompts=("x", "y", "z"), deadline_s=4.0)
    assert [one.error is None for one in result.members] == [True, True, False]
    assert "time is up" in (result.members[2].error or "")


async def test_cancelling_a_task_frees_every_slot() -> None:
    here = bench({"a": 0.9, "b": 0.9}, takes_s={"a": 50.0, "b": 50.0})
    task = Task(mode="creative", messages=ASKED, n=2)
    spent: list[Spent] = []
    work = asyncio.ensure_future(here.orchestrator.execute_task(task, routing_request(), spent))
    while here.engine.n_running < 2:
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(here.engine.cancelled) == ["a", "b"]
    assert sorted(one.model_id for one in spent) == ["a", "b"]
    here_idle(here)


async def test_a_picture_counts_as_a_picture_and_not_as_text() -> None:
    here = bench({"a": 0.9})
    picture = {"type": "image_url", "image_url": {"url": "data:" + "A" * 1_000_000}}
    await run(here, messages=({"role": "user", "content": [{"type": "text", "text": "abcd" * 5}, picture]},))
    assert here.engine.calls[0][1].n_prompt_tokens_estimate == (20 + 2000) // 4


async def test_cost_is_that_of_all_members() -> None:
    here = bench({"a": 0.9, "b": 0.5})
    result = await run(here, mode="creative", n=2)
    assert result.cost_usd == pytest.approx(sum(usage_of(2)))
    assert result.cost_usd == pytest.approx(sum(one.cost_usd for one in result.members))


async def test_every_member_has_a_decision_of_its_own() -> None:
    result = await run(bench({"a": 0.9}), mode="consensus", n=2)
    assert len({one.decision_id for one in result.members}) == 2


async def test_votes_are_equal_where_the_router_predicts_only_some_of_the_named_models() -> None:
    here = bench({"a": 0.9, "b": 0.2, "c": 0.9})
    del here.router.predictions["b"]
    here.engine.answer_by_model = {"a": says("4"), "b": says("5"), "c": says("4")}
    result = await run(here, mode="consensus", models=("a", "b", "c"))
    assert (result.text, result.agreement) == ("4", pytest.approx(2 / 3))


async def test_the_owners_methods_are_those_modes() -> None:
    here = bench({"a": 0.9})
    orchestrator, caller = here.orchestrator, routing_request()
    assert (await here.run(orchestrator.execute_parallel(["x", "y"], caller))).mode == "parallel"
    assert (await here.run(orchestrator.execute_creative("x", caller, n=2))).mode == "creative"
    assert (await here.run(orchestrator.execute_consensus("x", caller, n=2))).agreement == 1.0


async def test_a_task_without_a_deadline_has_the_servers() -> None:
    here = bench({"a": 0.9}, task_timeout_s=2.0)
    await run(here)
    assert here.engine.calls[0][1].deadline_s == pytest.approx(2.0)
