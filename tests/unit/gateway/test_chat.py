from typing import Any

import orjson
import pytest

from neuroforge.errors import UnsupportedParameter
from tests.unit.gateway.fakes import Gateway

ASK = [{"role": "user", "content": "hello there"}]
CHAT: dict[str, Any] = {"model": "small", "messages": ASK}
PATH = "/v1/chat/completions"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


async def sent(**fields: Any) -> Gateway:
    """A gateway after it has passed on one chat request."""
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(PATH, {**CHAT, **fields})
    assert reply.status == 200, reply.body
    return gateway


async def refused(**fields: Any) -> tuple[int, str, str]:
    async with Gateway().running() as client:
        reply = await client.post(PATH, {**CHAT, **fields})
    return reply.status, reply.error["code"], reply.error["param"]


async def test_a_whole_answer_has_our_id_the_public_model_and_usage() -> None:
    async with Gateway().running() as client:
        body = (await client.post(PATH, CHAT)).json()
    assert body["id"].startswith("chatcmpl-")
    assert (body["model"], body["usage"]["total_tokens"]) == ("small", 5)
    assert body["choices"][0]["message"]["content"] == "hi"


async def test_headers_say_who_answered_and_why() -> None:
    async with Gateway().running() as client:
        headers = (await client.post(PATH, CHAT, headers={"x-request-id": "mine-1"})).headers
    assert headers["x-neuroforge-model"] == "small"
    assert headers["x-neuroforge-decision"] == "dec_1;reason=explicit"
    assert headers["x-request-id"] == "mine-1"
    assert headers["server-timing"] == "gateway;dur=0.00, model;dur=0.00"


async def test_a_server_that_tells_the_request_id_itself_is_not_doubled() -> None:
    async with Gateway().running(server_tells_request_id=True) as client:
        kept = await client.post(PATH, CHAT, headers={"x-request-id": "mine-1"})
        made = await client.post(PATH, CHAT)
    assert "x-request-id" not in kept.headers
    assert made.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("given", ["", "has space", "x" * 129, "späß", "a\x7fb"])
async def test_an_odd_request_id_is_replaced(given: str) -> None:
    async with Gateway().running() as client:
        reply = await client.post(PATH, CHAT, headers={"x-request-id": given})
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("nonsense", False),
    ],
)
async def test_a_valid_trace_context_is_kept_and_handed_on(given: str, is_kept: bool) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(PATH, CHAT, headers={"traceparent": given})
    assert (reply.headers.get("traceparent") == given) is is_kept
    assert (gateway.orchestrator.requests[0].traceparent == given) is is_kept


async def test_auto_leaves_the_choice_to_the_router() -> None:
    routing = (await sent(model="auto")).orchestrator.routings[0]
    assert (routing.policy, routing.model_id) == ("auto", None)


async def test_neutral_and_advisory_fields_reach_no_engine() -> None:
    neutral = {"n": 1, "stop": [], "logprobs": False, "tools": [], "frequency_penalty": 0, "logit_bias": {}}
    advisory = {"user": "u", "metadata": {"a": "b"}, "store": False, "service_tier": "auto", "prediction": {}}
    nothing = {"seed": None, "temperature": None, "response_format": {"type": "text"}, "tool_choice": "auto"}
    gateway = await sent(**neutral, **advisory, **nothing, modalities=["text"], verbosity="medium")
    assert gateway.orchestrator.requests[0].body == {"messages": ASK}
    assert gateway.orchestrator.routings[0].requirements == {"chat"}


async def test_fields_become_capabilities() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    gateway = await sent(
        n=2, seed=1, stop="x", logprobs=True, top_logprobs=2, tools=[TOOL], response_format=schema, presence_penalty=1
    )
    needed = {"n", "seed", "stop", "logprobs", "top_logprobs", "tools", "json_schema", "penalties", "chat"}
    assert gateway.orchestrator.routings[0].requirements == needed


async def test_pictures_need_vision() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    gateway = await sent(messages=[{"role": "user", "content": [{"type": "text", "text": "what?"}, image]}])
    assert "vision" in gateway.orchestrator.routings[0].requirements


async def test_max_completion_tokens_is_max_tokens() -> None:
    gateway = await sent(max_completion_tokens=7)
    assert gateway.orchestrator.requests[0].body["max_tokens"] == 7
    assert gateway.orchestrator.requests[0].max_tokens == 7


async def test_an_answer_sent_back_with_empty_fields_is_accepted() -> None:
    back: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    talk = [*ASK, {**back, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "1"}]
    messages = (await sent(messages=talk)).orchestrator.requests[0].body["messages"]
    assert messages[1] == {"role": "assistant", "tool_calls": [call]}


async def test_a_developer_message_is_a_system_message() -> None:
    gateway = await sent(messages=[{"role": "developer", "content": "be brief"}, *ASK])
    assert gateway.orchestrator.requests[0].body["messages"][0]["role"] == "system"


async def test_the_callers_deadline_is_handed_on() -> None:
    assert (await sent(neuroforge={"deadline_s": 2.5})).orchestrator.requests[0].deadline_s == 2.5
    assert (await sent()).orchestrator.requests[0].deadline_s == 600.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", True),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}),
        ("web_search_options", {}),
        ("functions", [{}]),
        ("function_call", {"name": "f"}),
        ("verbosity", "low"),
        ("moderation", {"model": "m"}),
    ],
)
async def test_what_nobody_can_honour_is_refused_by_name(name: str, value: Any) -> None:
    assert await refused(**{name: value}) == (400, "unsupported_parameter", name)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 9}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"n": 0}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": "x", "odd": 1}]}, "messages[0].odd"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "%"}}}, "response_format.json_schema"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"neuroforge": {"deadline": 1}}, "neuroforge.deadline"),
        ({"neuroforge": {"deadline_s": 0}}, "neuroforge.deadline_s"),
        ({"seed": 2**63}, "seed"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": "BIG"}}}]}, "tools"),
    ],
)
async def test_a_wrong_value_is_a_400_with_its_path(fields: dict[str, Any], param: str) -> None:
    payload = orjson.dumps({**CHAT, **fields}, option=orjson.OPT_NON_STR_KEYS).replace(b'"BIG"', b"1" + b"0" * 30)
    async with Gateway().running() as client:
        reply = await client.post(PATH, payload)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert reply.error["param"].startswith(param)


async def test_a_misspelt_field_is_told_the_nearest_name() -> None:
    async with Gateway().running() as client:
        reply = await client.post(PATH, {**CHAT, "max_token": 3})
    assert reply.error["message"] == "Unrecognized request argument supplied: max_token; did you mean 'max_tokens'?"


async def test_a_capability_that_no_model_has_names_the_field_of_this_route() -> None:
    gateway = Gateway()
    gateway.orchestrator.error = UnsupportedParameter("no", param="penalties", capability="penalties")
    async with gateway.running() as client:
        reply = await client.post(PATH, {**CHAT, "presence_penalty": 1})
    assert reply.error["param"] == "presence_penalty"
