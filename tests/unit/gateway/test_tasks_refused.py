"""POST /v1/tasks: what is refused, and which field the refusal names."""

from typing import Any

import pytest

from neuroforge.contracts.keys import KeySpec
from neuroforge.errors import UnsupportedParameter
from neuroforge.gateway.policy import POLICIES
from tests.unit.gateway.fakes import Gateway
from tests.unit.gateway.task_calls import FORMAT, HELLO, sent

TOOL = {"type": "function", "function": {"name": "f"}}


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
