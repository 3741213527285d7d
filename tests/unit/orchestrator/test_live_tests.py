"""What the orchestrator does with arms of live tests and with shadows."""

from typing import Any

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestPlan, LiveTestSpec
from neuroforge.contracts.routing import Chunk, Decided, PromptShadow, PromptTag
from neuroforge.errors import DataError, EngineUnavailable
from neuroforge.orchestrator.shadows import PROMPT_SHADOWS, SHADOWS
from neuroforge.router.pipeline import LearnedRouter, RouterOptions
from tests.fakes import FakeClock, chat_answer, endpoint, engine_request, routing_request
from tests.unit.gateway.fakes import FakeMetrics
from tests.unit.orchestrator.bench import TimedBench
from tests.unit.router.weighing import learner_snapshot

BRIEF = LiveTestArm(name="brief", model_id="small", system="Be brief.")
OTHER = LiveTestArm(name="other", model_id="large")
CONTROL = LiveTestArm(name="control", model_id="small")


def refuse(_data: bytes, _embedder: str) -> Any:
    raise DataError("no fit is known here")


def bench_with(*plans: LiveTestPlan, **takes_s: float) -> TimedBench:
    router = LearnedRouter(FakeClock(), FakeClock(), FakeMetrics(), refuse, RouterOptions())
    router.knowledge.take(learner_snapshot(version=1, live_tests=plans))
    return TimedBench(endpoint("small"), endpoint("large"), router=router, takes_s=takes_s)


def plan(*arms: LiveTestArm, weights: tuple[float, ...], **changes: Any) -> LiveTestPlan:
    fields: dict[str, Any] = {"name": "t", "target": "small", "arms": arms, "sticky": "request"}
    return LiveTestPlan(spec=LiveTestSpec(**(fields | changes)), weights=weights)


def asked(**changes: Any) -> Any:
    return routing_request("small", **{"can_be_tested": True, "requirements": frozenset({"chat"}), **changes})


async def test_the_arms_model_answers_and_the_decision_says_so() -> None:
    bench = bench_with(plan(CONTROL, OTHER, weights=(0.0, 1.0)))

    completed = await bench.run(bench.orchestrator.complete(asked(), engine_request()))

    assert completed.decision.live_test is not None
    assert (completed.decision.reason, completed.decision.live_test.arm) == ("live_test", "other")
    assert bench.called == ["large"]


async def test_the_arms_system_message_takes_the_place_of_the_callers() -> None:
    bench = bench_with(plan(CONTROL, BRIEF, weights=(0.0, 1.0)))
    messages = [{"role": "system", "content": "Be long."}, {"role": "user", "content": "Hi"}]

    await bench.run(bench.orchestrator.complete(asked(), engine_request(body={"messages": messages})))

    assert bench.engine.calls[0][1].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


async def test_the_arms_words_are_not_kept_with_the_decision() -> None:
    bench = bench_with(plan(CONTROL, BRIEF, weights=(0.0, 1.0)))

    completed = await bench.run(bench.orchestrator.complete(asked(), engine_request()))

    assert "Be brief" not in completed.decision.model_dump_json()
    assert "Be brief" not in repr(completed.decision)


async def test_an_arm_that_fails_is_replaced_by_what_was_asked_for() -> None:
    bench = bench_with(plan(CONTROL, OTHER, weights=(0.0, 1.0)))
    bench.engine.error_by_model["large"] = EngineUnavailable("large: gone", may_have_begun=True)

    completed = await bench.run(bench.orchestrator.complete(asked(), engine_request()))

    assert completed.decision.model_id == "small"
    assert completed.decision.live_test is None
    assert {("large", 503), ("small", 200)} <= set(bench.statuses)


async def test_a_shadow_is_asked_after_the_answer_and_its_own_goes_to_nobody() -> None:
    bench = bench_with(plan(CONTROL, OTHER, weights=(0.5, 0.5), mode="shadow", metric="success"), large=5.0)

    completed = await bench.run(bench.orchestrator.complete(asked(), engine_request()))

    assert completed.body == chat_answer("From small.")
    await finish_shadows(bench)
    assert bench.called == ["small", "large"]
    assert [outcome.model_id for outcome in bench.outcomes] == ["small", "large"]


async def test_a_streams_shadow_is_asked_for_a_whole_answer() -> None:
    bench = bench_with(plan(CONTROL, OTHER, weights=(0.5, 0.5), mode="shadow", metric="success"))

    async def read() -> list[Any]:
        return [event async for event in bench.orchestrator.stream(asked(), engine_request(stream=True))]

    events = await bench.run(read())
    await finish_shadows(bench)

    assert [type(event) for event in events] == [Decided, Chunk]
    assert [(model, request.stream) for model, request in bench.engine.calls] == [("small", True), ("large", False)]


async def test_shadows_beyond_the_limit_are_dropped_and_counted() -> None:
    bench = bench_with(plan(CONTROL, OTHER, weights=(0.5, 0.5), mode="shadow", metric="success"), large=500.0)

    for number in range(4):
        await bench.run(bench.orchestrator.complete(asked(request_id=f"r{number}"), engine_request()))

    told = [tags["result"] for name, _, tags in bench.metrics.told if name == SHADOWS]
    assert told == ["asked", "asked", "dropped", "dropped"]
    await finish_shadows(bench)


async def test_another_version_of_the_prompt_is_asked_of_the_same_model_after_the_answer() -> None:
    bench = bench_with()
    messages = [{"role": "user", "content": "as version 2 puts it"}]
    tag = PromptTag(name="sense", version=2, is_shadow=True)
    shadow = PromptShadow(tag=tag, body={"messages": messages, "stream_options": {"include_usage": True}})
    routing = asked(prompt=PromptTag(name="sense", version=1), shadow=shadow)

    completed = await bench.run(bench.orchestrator.complete(routing, engine_request()))
    await finish_shadows(bench)

    assert completed.decision.prompt == PromptTag(name="sense", version=1)
    assert bench.called == ["small", "small"]
    assert bench.engine.calls[1][1].body == {"messages": messages}
    told = [tags for name, _, tags in bench.metrics.told if name == PROMPT_SHADOWS]
    assert told == [{"prompt": "sense", "version": "2", "result": "asked"}]


async def test_a_version_that_was_proven_on_other_models_is_asked_of_the_first_of_them() -> None:
    bench = bench_with()
    tag = PromptTag(name="sense", version=2, is_shadow=True)
    shadow = PromptShadow(tag=tag, body={"messages": []}, models=("large", "other"))

    await bench.run(bench.orchestrator.complete(asked(shadow=shadow), engine_request()))
    await finish_shadows(bench)

    assert bench.called == ["small", "large"]


async def test_a_shadow_is_asked_of_no_model_that_the_key_may_not_use() -> None:
    tag = PromptTag(name="sense", version=2, is_shadow=True)
    for models, called in ((("large",), ["small"]), (("large", "tiny"), ["small", "tiny"])):
        bench = TimedBench(endpoint("small"), endpoint("large"), endpoint("tiny"))
        shadow = PromptShadow(tag=tag, body={"messages": []}, models=models)
        routing = asked(shadow=shadow, allowed_models=frozenset({"small", "tiny"}))

        await bench.run(bench.orchestrator.complete(routing, engine_request()))
        await finish_shadows(bench)

        assert bench.called == called


async def finish_shadows(bench: TimedBench) -> None:
    for task in list(bench.orchestrator._shadows.tasks):
        await bench.time.drive(task)
