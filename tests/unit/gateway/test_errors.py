import logging
from typing import Any

import pytest

from neuroforge.errors import ContextLengthExceeded, EngineOverloaded, EngineTimeout, NeuroForgeError, OutOfMemory
from tests.unit.gateway.fakes import Gateway

PATH = "/v1/chat/completions"
CANARY = "zebra-canary"
CHAT: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": CANARY}]}


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (EngineOverloaded("full", retry_after_s=1.2), 429, "2"),
        (EngineOverloaded("full"), 429, "5"),
        (EngineTimeout("late"), 504, None),
        (OutOfMemory("big"), 507, None),
    ],
)
async def test_an_error_has_its_status_and_says_when_to_retry(
    error: NeuroForgeError, status: int, retry_after: str | None
) -> None:
    gateway = Gateway()
    gateway.orchestrator.error = error
    async with gateway.running() as client:
        reply = await client.post(PATH, CHAT)
    assert (reply.status, reply.headers.get("retry-after")) == (status, retry_after)
    assert reply.error == {"message": error.message, "type": error.type, "param": None, "code": error.code}


async def test_a_prompt_that_is_too_long_is_told_both_numbers() -> None:
    gateway = Gateway()
    gateway.orchestrator.error = ContextLengthExceeded("long", n_prompt_tokens=9, context_length=5, param="messages")
    async with gateway.running() as client:
        error = (await client.post(PATH, CHAT)).error
    assert (error["n_prompt_tokens"], error["context_length"], error["param"]) == (9, 5, "messages")


async def test_an_unexpected_error_is_a_500_with_the_request_id_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway()
    gateway.orchestrator.error = KeyError(CANARY)
    with caplog.at_level(logging.DEBUG):
        async with gateway.running() as client:
            reply = await client.post(PATH, CHAT)
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert reply.headers["x-request-id"] in reply.error["message"]
    assert CANARY not in reply.body.decode() + caplog.text
    assert "KeyError" in caplog.text


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"model": NaN}', b'{"a":' * 400 + b"1" + b"}" * 400],
)
async def test_what_is_no_json_object_is_a_400(payload: bytes) -> None:
    async with Gateway().running() as client:
        reply = await client.post(PATH, payload)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_a_400(kind: str | None) -> None:
    async with Gateway().running() as client:
        reply = await client.post(PATH, CHAT, headers={"content-type": kind})
    assert (reply.status, reply.error["param"]) == (400, "content-type")


@pytest.mark.parametrize("declared", [None, "2000"])
async def test_a_large_body_is_a_413_declared_or_not(declared: str | None) -> None:
    async with Gateway().running(max_body_bytes=1024) as client:
        reply = await client.post(PATH, b" " * 2000, headers={"content-length": declared})
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


async def test_unknown_routes_and_wrong_methods_have_the_envelope() -> None:
    async with Gateway().running() as client:
        unknown, wrong = await client.get("/v1/nothing"), await client.get(PATH)
    assert (unknown.status, unknown.error["code"]) == (404, "route_not_found")
    assert (wrong.status, wrong.error["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize(
    "body",
    [
        {**CHAT, CANARY: 1},
        {**CHAT, "messages": [{"role": CANARY, "content": CANARY}]},
        {**CHAT, "messages": [{"role": "user", "content": {CANARY: CANARY}}]},
        {**CHAT, "messages": [{"role": "user", "content": CANARY, f"{CANARY} {CANARY}": CANARY}]},
        {**CHAT, "logit_bias": {f"{CANARY} x": 1000}},
        {**CHAT, "tools": CANARY},
        {**CHAT, "stop": [CANARY, 1]},
        {**CHAT, "service_tier": 5},
    ],
)
async def test_a_refusal_never_quotes_the_text(body: dict[str, Any]) -> None:
    async with Gateway().running() as client:
        reply = await client.post(PATH, body)
    assert reply.status == 400
    assert CANARY not in reply.body.decode().replace(f"supplied: {CANARY}", "").replace(f'"param":"{CANARY}"', "")
