"""POST /v1/tasks: what reaches the executor, what is refused, and who pays."""

import asyncio
from typing import Any

import pytest

from neuroforge.contracts.chat import Usage
from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.tasks import Member, Task, TaskResult
from neuroforge.errors import EngineUnavailable, UnsupportedParameter
from neuroforge.gateway.policy import POLICIES
from neuroforge.gateway.wire_tasks import NAMES
from tests.unit.gateway.fakes import Gateway, Reply, make_key, whole

PATH = "/v1/tasks"
HELLO = [{"role": "user", "content": "hello"}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
FAILED = Member(model_id="auto", error="away")
TOOL = {"type": "function", "function": {"name": "f"}}


async def sent(gateway: Gateway | None = None, key: KeySpec | None = None, **body: Any) -> tuple[Gateway, Reply]:
    gateway = gateway or Gateway()
    secret = None
    if key is not None:
        made, secret = make_key("k1", key)
        gateway.state.keys.append(made)
    async with gateway.running() as client:
        client.secret = secret
        return gateway, await client.post(PATH, body)


def member(model_id: str, n_tokens: int) -> Member:
    usage = Usage(n_prompt_tokens=n_tokens, n_completion_tokens=1)
    return Member(model_id=model_id, decision_id="dec_1", text="hi", usage=usage)


def result(*members: Member, **more: Any) -> TaskResult:
    return TaskResult(task_id="t", mode="creative", text="hi", winner=0, members=members, **more)


def test_the_wire_has_every_field_of_a_task() -> None:
    assert set(NAMES) == set(Task.model_fields)


async def test_a_conversation_reaches_the_executor_as_a_chat_request_would() -> None:
    messages = [{"role": "developer", "content": "be brief", "name": None}, *HELLO]
    options = {"max_completion_tokens": 5, "temperature": 0, "response_format": FORMAT, "user": "u"}
    gateway, reply = await sent(messages=messages, options=options, deadline_s=3)
    (task,), (caller,) = gateway.tasks.tasks, gateway.tasks.callers
    clean = [{"role": "system", "content": "be brief"}, *HELLO]
    assert reply.status == 200
    assert caller.body == {"messages": clean, "max_tokens": 5, "temperature": 0, "response_format": FORMAT}
    assert (caller.policy, caller.max_tokens, caller.requirements) == ("auto", 5, {"chat", "json_schema"})
    assert (list(task.messages or ()), task.mode, task.deadline_s) == (clean, "single", 3.0)
    assert task.options == {name: value for name, value in caller.body.items() if name != "messages"}


async def test_prompts_share_messages_and_the_longest_tells_the_length() -> None:
    gateway, _ = await sent(mode="parallel", prompts=["a", "b" * 395, ""], messages=HELLO)
    (task,), (caller,) = gateway.tasks.tasks, gateway.tasks.callers
    assert (task.prompts, caller.body, caller.n_prompt_tokens_estimate) == (
        ("a", "b" * 395, ""),
        {"messages": HELLO},
        100,
    )


async def test_prompts_need_no_messages() -> None:
    gateway, _ = await sent(mode="parallel", prompts=["a"])
    assert (gateway.tasks.tasks[0].messages, gateway.tasks.callers[0].body) == (None, {"messages": []})


async def test_a_task_without_a_deadline_gets_the_gateways() -> None:
    gateway, _ = await sent(messages=HELLO)
    assert gateway.tasks.tasks[0].deadline_s == 600.0


async def test_policy_bounds_and_the_keys_models_reach_the_router() -> None:
    key = KeySpec(name="a", allowed_models=frozenset({"small"}))
    gateway, _ = await sent(key=key, messages=HELLO, model="auto:cheap", route={"max_cost_usd": 0.5})
    caller = gateway.tasks.callers[0]
    assert (caller.policy, caller.route.max_cost_usd, caller.actor) == ("auto:cheap", 0.5, "k1")
    assert caller.allowed_models == {"small"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"mode": "consensus"}, "messages"),
        ({"mode": "parallel", "messages": HELLO}, "prompts"),
        ({"mode": "parallel", "prompts": []}, "prompts"),
        ({"mode": "parallel", "prompts": ["a"] * 257}, "prompts"),
        ({"mode": "parallel", "prompts": ["a", 1]}, "prompts[1]"),
        ({"messages": HELLO, "prompts": ["a"]}, "prompts"),
        ({"messages": HELLO, "mode": "vote"}, "mode"),
        ({"messages": HELLO, "mode": "consensus", "n": 17}, "n"),
        ({"messages": HELLO, "mode": "consensus", "n": 0}, "n"),
        ({"messages": HELLO, "mode": "consensus", "n": "3"}, "n"),
        ({"messages": HELLO, "n": 5}, "n"),
        ({"messages": HELLO, "mode": "cascade", "verifier": "logprob", "n": 5}, "n"),
        ({"messages": HELLO, "models": ["small"]}, "models"),
        ({"messages": HELLO, "mode": "consensus", "model": "small", "models": ["big"]}, "models"),
        ({"messages": HELLO, "mode": "consensus", "models": ["small"] * 17}, "models"),
        ({"messages": HELLO, "mode": "cascade", "models": ["small"]}, "models"),
        ({"messages": HELLO, "mode": "cascade", "model": "small"}, "model"),
        ({"messages": HELLO, "mode": "consensus", "scorer": "logprob"}, "scorer"),
        ({"messages": HELLO, "mode": "creative", "scorer": "beauty"}, "scorer"),
        ({"messages": HELLO, "mode": "creative", "threshold": 0.9}, "threshold"),
        ({"messages": HELLO, "mode": "creative", "stop_early": True}, "stop_early"),
        ({"messages": HELLO, "mode": "creative", "scorer": "judge"}, "judge"),
        ({"messages": HELLO, "mode": "cascade", "verifier": "judge"}, "judge"),
        ({"messages": HELLO, "mode": "creative", "judge": "small"}, "judge"),
        ({"messages": HELLO, "deadline_s": 0}, "deadline_s"),
        ({"messages": HELLO, "wings": 2}, "wings"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0]"),
        ({"messages": HELLO, "options": {"temperature": 3}}, "options.temperature"),
        ({"messages": HELLO, "options": {"heat": 1}}, "options.heat"),
        ({"messages": HELLO, "options": {"stream": True}}, "options.stream"),
        ({"messages": HELLO, "options": {"n": 2}}, "options.n"),
        ({"messages": HELLO, "options": {"model": "small"}}, "options.model"),
        ({"messages": HELLO, "options": {"top_logprobs": 2}}, "options.top_logprobs"),
        ({"messages": HELLO, "options": {"audio": {"voice": "a"}}}, "options.audio"),
        ({"messages": HELLO, "mode": "consensus", "options": {"tools": [TOOL]}}, "options.tools"),
        ({"mode": "parallel", "prompts": ["a"], "options": {"logprobs": True}}, "options.logprobs"),
        ({"messages": HELLO, "route": {"max_latency_s": 0}}, "route.max_latency_s"),
        ({"messages": HELLO, "route": {"speed": 1}}, "route.speed"),
        ({"messages": HELLO, "model": "small", "route": {"max_latency_s": 1}}, "route.max_latency_s"),
        (
            {"messages": HELLO, "mode": "creative", "models": ["small"], "route": {"candidates": ["big"]}},
            "route.candidates",
        ),
    ],
)
async def test_a_wrong_task_is_a_400_that_names_the_field(body: dict[str, Any], param: str) -> None:
    gateway, reply = await sent(**body)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert gateway.tasks.tasks == []


async def test_values_that_say_nothing_pass_in_every_mode() -> None:
    neutral = {"n": 3, "scorer": "predicted_quality", "verifier": "agreement", "threshold": 0.6, "models": None}
    _, reply = await sent(messages=HELLO, **neutral, options={"tools": [], "logprobs": False}, route={}, judge=None)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "huge"}, "model"),
        ({"mode": "creative", "models": ["small", "huge"]}, "models[1]"),
        ({"mode": "creative", "models": ["auto"]}, "models[0]"),
        ({"mode": "creative", "scorer": "judge", "judge": "huge"}, "judge"),
    ],
)
async def test_a_model_that_does_not_exist_is_a_404_that_names_field_and_models(
    body: dict[str, Any], param: str
) -> None:
    _, reply = await sent(messages=HELLO, **body)
    assert (reply.status, reply.error["param"], reply.error["known"]) == (404, param, ["big", "small"])


async def test_an_unknown_policy_is_a_404_that_names_the_known_ones() -> None:
    _, reply = await sent(messages=HELLO, model="auto:clever")
    assert (reply.status, reply.error["known"]) == (404, list(POLICIES))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "big"}, "model"),
        ({"mode": "creative", "models": ["small", "big"]}, "models[1]"),
        ({"mode": "creative", "scorer": "judge", "judge": "big"}, "judge"),
    ],
)
async def test_every_model_of_a_task_must_be_on_the_keys_list(body: dict[str, Any], param: str) -> None:
    key = KeySpec(name="a", allowed_models=frozenset({"small"}))
    gateway, reply = await sent(key=key, messages=HELLO, **body)
    assert (reply.status, reply.error["param"], gateway.tasks.tasks) == (403, param, [])


async def test_the_executors_refusal_names_the_tasks_field() -> None:
    gateway = Gateway()
    gateway.tasks.error = UnsupportedParameter("no", param="response_format", capability="json_schema")
    _, reply = await sent(gateway, messages=HELLO, options={"response_format": FORMAT})
    assert (reply.status, reply.error["param"]) == (400, "options.response_format")


async def test_a_scorer_that_no_model_can_feed_is_named_itself() -> None:
    gateway = Gateway()
    gateway.tasks.error = UnsupportedParameter("no", param="logprobs", capability="logprobs")
    _, reply = await sent(gateway, messages=HELLO, mode="creative", scorer="logprob")
    assert (reply.status, reply.error["param"]) == (400, "scorer")


async def test_the_routers_bounds_are_named_as_the_task_names_them() -> None:
    gateway = Gateway()
    gateway.tasks.error = UnsupportedParameter(
        "neuroforge.route.max_cost_usd: no", param="neuroforge.route.max_cost_usd"
    )
    _, reply = await sent(gateway, messages=HELLO, route={"max_cost_usd": 0})
    assert (reply.error["param"], reply.error["message"]) == ("route.max_cost_usd", "route.max_cost_usd: no")


async def test_a_fleet_that_fails_is_told_as_it_is() -> None:
    gateway = Gateway()
    gateway.tasks.error = EngineUnavailable("away")
    _, reply = await sent(gateway, messages=HELLO)
    assert (reply.status, reply.error["code"]) == (503, "model_unavailable")


async def test_the_winner_is_in_body_and_headers_under_public_names() -> None:
    gateway = Gateway()
    gateway.tasks.result = result(member("big", 3), member("small", 1), body=whole())
    _, reply = await sent(gateway, messages=HELLO, mode="creative")
    told = TaskResult.model_validate_json(reply.body)
    assert told.body is not None
    assert (told.body["model"], told.body["id"].startswith("chatcmpl-")) == ("big", True)
    assert (reply.headers["x-neuroforge-model"], reply.headers["x-neuroforge-decision"]) == ("big", "dec_1")


async def test_every_members_tokens_are_booked_on_the_key_and_counted_by_model() -> None:
    gateway = Gateway()
    used = Usage(n_prompt_tokens=12, n_completion_tokens=4)
    gateway.tasks.result = result(member("small", 3), member("big", 5), FAILED, usage=used)
    await sent(gateway, KeySpec(name="a"), messages=HELLO, mode="creative")
    usage = gateway.state.reports[-1].usage
    tokens = {
        (tags["model"], tags["kind"]): value
        for name, value, tags in gateway.metrics.told
        if name == "neuroforge_tokens_total"
    }
    assert [(one.n_requests, one.n_tokens) for one in usage] == [(1, 16)]
    assert tokens == {
        ("small", "prompt"): 3,
        ("small", "completion"): 1,
        ("big", "prompt"): 5,
        ("big", "completion"): 1,
        ("", "prompt"): 4,
        ("", "completion"): 2,
    }


async def test_a_task_is_audited_with_its_tokens_and_without_its_text() -> None:
    gateway = Gateway()
    gateway.tasks.result = result(member("big", 3), usage=Usage(n_prompt_tokens=3, n_completion_tokens=1))
    await sent(gateway, KeySpec(name="a"), messages=[{"role": "user", "content": "zebra-canary"}], mode="creative")
    (event,) = gateway.state.events
    assert (event.actor, event.action, event.target, event.status) == ("k1", "inference", "big", 200)
    assert event.detail == {"route": "tasks", "n_prompt_tokens": 3, "n_completion_tokens": 1}
    assert "zebra" not in event.model_dump_json()


async def test_each_prompt_counts_as_a_request() -> None:
    key = KeySpec(name="a", requests_per_minute=4)
    gateway, first = await sent(key=key, mode="parallel", prompts=["a", "b", "c"])
    assert (first.status, first.headers["x-ratelimit-remaining-requests"]) == (200, "1")
    assert [one.n_requests for one in gateway.state.reports[-1].usage] == [3]


async def test_prompts_that_do_not_fit_now_are_a_429_and_those_that_never_fit_a_400() -> None:
    gateway = Gateway()
    made, secret = make_key("k1", KeySpec(name="a", requests_per_minute=4))
    gateway.state.keys.append(made)
    async with gateway.running() as client:
        client.secret = secret
        replies = [await client.post(PATH, {"mode": "parallel", "prompts": ["a"] * n}) for n in (3, 2, 5)]
    assert [one.status for one in replies] == [200, 429, 429]
    gateway, never = await sent(key=KeySpec(name="a", requests_per_minute=4), mode="parallel", prompts=["a"] * 5)
    assert (never.status, never.error["param"], gateway.tasks.tasks) == (400, "prompts", [])


async def test_hanging_up_cancels_the_task() -> None:
    gateway = Gateway()
    gateway.tasks.gate, gone = asyncio.Event(), asyncio.Event()
    async with gateway.running() as client:
        call = asyncio.create_task(client.post(PATH, {"messages": HELLO}, gone=gone))
        while not gateway.tasks.tasks:
            await asyncio.sleep(0)
        gone.set()
        await call
    assert (gateway.tasks.n_cancelled, gateway.state.events[0].status) == (1, 499)


async def test_the_gateway_gives_up_on_a_task_past_its_deadline() -> None:
    gateway = Gateway()
    gateway.tasks.gate = asyncio.Event()
    async with gateway.running(deadline_slack_s=0.0) as client:
        reply = await client.post(PATH, {"messages": HELLO, "deadline_s": 0.01})
    assert (reply.status, reply.error["code"], gateway.tasks.n_cancelled) == (504, "deadline_exceeded", 1)


async def test_tasks_need_a_key_where_there_are_keys() -> None:
    gateway = Gateway()
    gateway.state.keys.append(make_key("k1")[0])
    _, reply = await sent(gateway, messages=HELLO)
    assert (reply.status, gateway.tasks.tasks) == (401, [])


async def test_the_document_shows_the_body_and_the_answer() -> None:
    async with Gateway().running() as client:
        document = (await client.get("/openapi.json")).json()
    operation = document["paths"][PATH]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert (body["$ref"], answer["$ref"]) == ("#/components/schemas/TaskRequest", "#/components/schemas/TaskResult")
    assert document["components"]["schemas"]["ChatOptions"]["additionalProperties"] is False
