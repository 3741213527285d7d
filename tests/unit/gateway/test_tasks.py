"""POST /v1/tasks: what reaches the executor, what comes back, and who pays."""

import asyncio
from typing import Any

from neuroforge.contracts.chat import Usage
from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.routing import Spent
from neuroforge.contracts.tasks import Member, Task, TaskResult
from neuroforge.errors import EngineUnavailable
from neuroforge.gateway.wire_tasks import NAMES
from tests.unit.gateway.fakes import Gateway, make_key, whole
from tests.unit.gateway.task_calls import FORMAT, HELLO, PATH, sent


def member(model_id: str) -> Member:
    return Member(model_id=model_id, decision_id="dec_1", text="hi")


def spent(model_id: str, n_tokens: int) -> Spent:
    return Spent(model_id=model_id, usage=Usage(n_prompt_tokens=n_tokens, n_completion_tokens=1))


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


async def test_values_that_say_nothing_pass_in_every_mode() -> None:
    neutral = {"n": 3, "scorer": "predicted_quality", "verifier": "agreement", "threshold": 0.6, "models": None}
    _, reply = await sent(messages=HELLO, **neutral, options={"tools": [], "logprobs": False}, route={}, judge=None)
    assert reply.status == 200


async def test_a_fleet_that_fails_is_told_as_it_is() -> None:
    gateway = Gateway()
    gateway.tasks.error = EngineUnavailable("away")
    _, reply = await sent(gateway, messages=HELLO)
    assert (reply.status, reply.error["code"]) == (503, "model_unavailable")


async def test_the_winner_is_in_body_and_headers_under_public_names() -> None:
    gateway = Gateway()
    gateway.tasks.result = result(member("big"), member("small"), body=whole())
    _, reply = await sent(gateway, messages=HELLO, mode="creative")
    told = TaskResult.model_validate_json(reply.body)
    assert told.body is not None
    assert (told.body["model"], told.body["id"].startswith("chatcmpl-")) == ("big", True)
    assert (reply.headers["x-neuroforge-model"], reply.headers["x-neuroforge-decision"]) == ("big", "dec_1")


async def test_every_calls_tokens_are_booked_on_the_key_and_counted_by_model() -> None:
    gateway = Gateway()
    gateway.tasks.spent = (spent("small", 3), spent("big", 5), spent("big", 4))
    await sent(gateway, KeySpec(name="a"), messages=HELLO, mode="creative")
    usage = gateway.state.reports[-1].usage
    tokens = {
        (tags["model"], tags["kind"]): value
        for name, value, tags in gateway.metrics.told
        if name == "neuroforge_tokens_total"
    }
    assert [(one.n_requests, one.n_tokens) for one in usage] == [(1, 15)]
    assert tokens == {
        ("small", "prompt"): 3,
        ("small", "completion"): 1,
        ("big", "prompt"): 9,
        ("big", "completion"): 2,
    }


async def test_a_task_that_fails_is_booked_too() -> None:
    gateway = Gateway()
    gateway.tasks.spent = (spent("small", 3),)
    gateway.tasks.error = EngineUnavailable("away")
    _, reply = await sent(gateway, KeySpec(name="a"), messages=HELLO)
    assert (reply.status, [one.n_tokens for one in gateway.state.reports[-1].usage]) == (503, [4])


async def test_a_task_is_audited_with_its_tokens_and_without_its_text() -> None:
    gateway = Gateway()
    gateway.tasks.result = result(member("big"))
    gateway.tasks.spent = (spent("big", 3),)
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
    gateway.tasks.spent = (spent("small", 3),)
    async with gateway.running() as client:
        call = asyncio.create_task(client.post(PATH, {"messages": HELLO}, gone=gone))
        while not gateway.tasks.tasks:
            await asyncio.sleep(0)
        gone.set()
        await call
    event = gateway.state.events[0]
    assert (gateway.tasks.n_cancelled, event.status, event.detail["n_prompt_tokens"]) == (1, 499, 3)


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
