"""The engine `openai_http` against llama.cpp's own HTTP server with a real model."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import xllamacpp

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelRequest, PromptText
from neuroforge.contracts.models import EngineKind, ModelEndpoint
from neuroforge.engines.client import HttpEngineClient
from neuroforge.engines.openai_http import OPENAI_HTTP_CAPABILITIES, UpstreamDialect
from neuroforge.errors import ContextLengthExceeded, EngineError, EngineTimeout, RequestError, UnsupportedParameter
from tests.fakes import endpoint, engine_request

API_KEY = "key-of-the-upstream"
CANARY = "The canary sings at 0451 behind the harbour wall."
MESSAGES: list[JsonObject] = [{"role": "user", "content": "Name three colours."}]


@pytest.fixture(scope="module")
def upstream(smollm2_path: Path) -> Iterator[ModelEndpoint]:
    params = xllamacpp.CommonParams()
    params.model.path = str(smollm2_path)
    params.n_ctx, params.n_parallel = 1024, 2
    params.cpuparams.n_threads = 1
    params.api_keys = [API_KEY]
    server = xllamacpp.Server(params)
    yield endpoint(
        "remote",
        engine=EngineKind.OPENAI_HTTP,
        base_url=f"{server.listening_address}/v1",
        api_key=API_KEY,
        context_length=512,
        capabilities=OPENAI_HTTP_CAPABILITIES,
    )
    del server


@pytest.fixture
async def client() -> AsyncIterator[HttpEngineClient]:
    made = HttpEngineClient("internal-token", {EngineKind.OPENAI_HTTP: UpstreamDialect()})
    yield made
    await made.close()


def chat(max_tokens: int = 8, **fields: Any) -> Any:
    return engine_request(body={"messages": MESSAGES, "max_tokens": max_tokens, "temperature": 0, **fields})


async def test_a_chat_is_answered(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    answer = await client.complete(upstream, chat())
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 8


async def test_a_stream_says_the_same_and_ends_with_usage(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    whole = await client.complete(upstream, chat())
    chunks = [chunk async for chunk in client.stream(upstream, chat())]
    deltas = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(deltas) == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"]["completion_tokens"] == 8


async def test_a_schema_is_kept(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    answer = await client.complete(upstream, chat(max_tokens=64, response_format=form))
    assert isinstance(orjson.loads(answer["choices"][0]["message"]["content"])["n"], int)


async def test_tokens_of_messages_are_those_of_the_usage(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    usage = (await client.complete(upstream, chat()))["usage"]
    counted = await client.count_tokens(upstream, PromptText(messages=tuple(MESSAGES)))
    assert counted.n_tokens == usage["prompt_tokens"]


async def test_too_long_a_prompt_carries_both_numbers(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    body = {"messages": [{"role": "user", "content": CANARY * 100}]}
    with pytest.raises(ContextLengthExceeded) as caught:
        await client.complete(upstream, engine_request(body=body))
    assert caught.value.context["n_prompt_tokens"] > caught.value.context["context_length"] == 512
    assert "canary" not in str(caught.value)


async def test_a_bad_schema_is_the_callers_error(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "nonsense"}}}
    with pytest.raises(RequestError):
        await client.complete(upstream, chat(response_format=form))


async def test_a_wrong_key_is_our_error(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    stranger = ModelEndpoint(**{**dict(upstream), "api_key": "wrong-key"})
    with pytest.raises(EngineError, match="refused our key") as caught:
        await client.complete(stranger, chat())
    assert caught.value.http_status == 502
    assert "wrong-key" not in str(caught.value)


async def test_labels_are_refused(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    with pytest.raises(UnsupportedParameter):
        await client.label_logprobs(upstream, LabelRequest(prompt=PromptText(text="1+1="), labels=("2", "3")))


async def test_the_server_is_found_healthy(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    await client.check(upstream)


async def test_the_deadline_frees_the_slots(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    endless = {"messages": MESSAGES, "max_tokens": 400, "ignore_eos": True}
    late = [client.complete(upstream, engine_request(body=endless, deadline_s=0.3)) for _ in range(2)]
    results = await asyncio.gather(*late, return_exceptions=True)
    assert [type(result) for result in results] == [EngineTimeout, EngineTimeout]
    await client.complete(upstream, engine_request(body=chat(max_tokens=1).body, deadline_s=3.0))


async def test_a_stream_that_is_closed_frees_its_slot(client: HttpEngineClient, upstream: ModelEndpoint) -> None:
    endless = engine_request(body={"messages": MESSAGES, "max_tokens": 400, "ignore_eos": True})
    streams = [client.stream(upstream, endless) for _ in range(2)]
    for stream in streams:
        await anext(stream)
        await stream.aclose()
    await client.complete(upstream, engine_request(body=chat(max_tokens=1).body, deadline_s=3.0))
