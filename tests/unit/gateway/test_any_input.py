"""Whatever is sent, the answer is a 200 or a 4xx in the envelope; never a 500, never the text."""

from typing import Any, get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroforge.contracts.tasks import TaskMode
from neuroforge.gateway.requirements import CHAT_RULES, COMPLETION_RULES
from neuroforge.gateway.responses import RESPONSE_RULES
from neuroforge.gateway.wire_tasks import NAMES
from tests.unit.gateway.fakes import Client, Gateway

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
ROLES = st.sampled_from(["user", "assistant", "system", "developer", "tool", "other"])
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "refusal", "input_text", "file"])},
    optional={"text": ANY, "image_url": ANY, "input_audio": ANY, "refusal": ANY},
)
MESSAGE = st.fixed_dictionaries(
    {"role": ROLES},
    optional={
        "content": st.text(max_size=8) | st.lists(PART, max_size=2) | ANY,
        "tool_calls": ANY,
        "name": ANY,
        "type": st.sampled_from(["message", "function_call", "reasoning"]),
    },
)
FIXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def body_of(rules: Any, **required: Any) -> Any:
    optional = {name: ANY for name in rules if name not in {"model", *required}}
    return st.fixed_dictionaries({"model": st.just("small") | ANY, **required}, optional=optional)


CHAT = body_of(CHAT_RULES, messages=st.lists(MESSAGE, max_size=3) | ANY)
COMPLETION = body_of(COMPLETION_RULES, prompt=ANY)
TASK = st.fixed_dictionaries(
    {"mode": st.sampled_from(get_args(TaskMode))},
    optional={
        **dict.fromkeys(set(NAMES) - {"mode"}, ANY),
        "messages": st.lists(MESSAGE, max_size=3) | ANY,
        "prompts": st.lists(st.text(max_size=8), max_size=3) | ANY,
        "options": st.dictionaries(st.sampled_from(sorted(CHAT_RULES)), ANY, max_size=3),
    },
)
RESPONSE = body_of(RESPONSE_RULES, input=st.text(max_size=8) | st.lists(MESSAGE, max_size=3))


@pytest.fixture
async def client() -> Any:
    async with Gateway().running() as running:
        yield running


async def check(client: Client, path: str, payload: bytes) -> None:
    reply = await client.post(path, payload)
    assert reply.status in (200, 400, 404), reply.body
    if reply.status != 200:
        assert reply.error.keys() >= {"message", "type", "param", "code"}


@FIXED
@given(CHAT)
async def test_any_chat_body_is_answered_or_refused(client: Client, body: Any) -> None:
    await check(client, "/v1/chat/completions", orjson.dumps(body))


@FIXED
@given(COMPLETION)
async def test_any_completion_body_is_answered_or_refused(client: Client, body: Any) -> None:
    await check(client, "/v1/completions", orjson.dumps(body))


@FIXED
@given(RESPONSE)
async def test_any_response_body_is_answered_or_refused(client: Client, body: Any) -> None:
    await check(client, "/v1/responses", orjson.dumps(body))


@FIXED
@given(TASK)
async def test_any_task_is_answered_or_refused(client: Client, body: Any) -> None:
    await check(client, "/v1/tasks", orjson.dumps(body))


@FIXED
@given(st.binary(max_size=200), st.sampled_from(["/v1/embeddings", "/v1/label_logprobs", "/admin/v1/apply"]))
async def test_any_bytes_are_refused(client: Client, payload: bytes, path: str) -> None:
    await check(client, path, payload)


@FIXED
@given(st.dictionaries(st.text(max_size=12), ANY, max_size=3))
async def test_any_admin_body_is_answered_or_refused(client: Client, body: Any) -> None:
    await check(client, "/admin/v1/apply", orjson.dumps(body))
