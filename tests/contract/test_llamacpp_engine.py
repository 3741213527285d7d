"""What the llama.cpp engine answers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from neuroforge.engines.llamacpp import SUPPORTED_CAPABILITIES, LlamaCppEngine
from neuroforge.engines.llamacpp_params import LlamaCppConfig
from tests.contract.llamacpp_served import CHAT, HELLO, PARALLEL, Served, serve_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(smollm2_path: Path) -> AsyncIterator[Served]:
    async with serve_engine(smollm2_path) as served:
        yield served


async def test_chat_answers_with_usage(served: Served) -> None:
    status, body = await served.post(CHAT, {"messages": HELLO, "max_tokens": 4, "temperature": 0})
    assert status == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "smol"
    assert body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 4
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 4


async def test_stream_and_whole_answer_are_the_same_text(served: Served) -> None:
    ask = {"messages": HELLO, "max_tokens": 8, "temperature": 0}
    _, whole = await served.post(CHAT, ask)
    chunks = await served.events(CHAT, {**ask, "stream_options": {"include_usage": True}})
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 8
    assert not any("usage" in chunk or "prompt_progress" in chunk for chunk in chunks[:-1])


async def test_usage_chunk_only_when_asked_for(served: Served) -> None:
    chunks = await served.events(CHAT, {"messages": HELLO, "max_tokens": 2})
    assert all(chunk["choices"] for chunk in chunks)


async def test_n_choices_differ_and_usage_counts_all(served: Served) -> None:
    _, body = await served.post(CHAT, {"messages": HELLO, "max_tokens": 6, "n": 2, "seed": 3, "temperature": 1.5})
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["choices"][0]["message"]["content"] != body["choices"][1]["message"]["content"]
    assert body["usage"]["completion_tokens"] == 12
    _, count = await served.post("/v1/count_tokens", {"messages": HELLO})
    assert body["usage"]["prompt_tokens"] == count["n_tokens"]


async def test_same_seed_same_text(served: Served) -> None:
    ask = {"messages": HELLO, "max_tokens": 8, "seed": 2**40 - 1, "temperature": 1.5}
    first, second = [(await served.post(CHAT, ask))[1]["choices"][0]["message"] for _ in range(2)]
    assert first == second


async def test_stop_text_ends_the_answer_and_is_left_out(served: Served) -> None:
    ask = {"messages": HELLO, "max_tokens": 8, "temperature": 0}
    _, free = await served.post(CHAT, ask)
    stop = free["choices"][0]["message"]["content"][3:5]
    _, cut = await served.post(CHAT, {**ask, "stop": stop})
    assert cut["choices"][0]["finish_reason"] == "stop"
    assert stop not in cut["choices"][0]["message"]["content"]


@pytest.mark.parametrize(("top", "n_top"), [(None, 0), (0, 0), (3, 3)])
async def test_chat_logprobs_carry_as_many_alternatives_as_asked(served: Served, top: int | None, n_top: int) -> None:
    ask = {"messages": HELLO, "max_tokens": 2, "temperature": 0, "logprobs": True, "top_logprobs": top}
    _, body = await served.post(CHAT, ask)
    tokens = body["choices"][0]["logprobs"]["content"]
    assert len(tokens) == 2
    assert [len(token["top_logprobs"]) for token in tokens] == [n_top, n_top]
    assert all(token["logprob"] <= 0 for token in tokens)


async def test_completion_logprobs_have_the_older_form(served: Served) -> None:
    _, body = await served.post("/v1/completions", {"prompt": "The sea", "max_tokens": 3, "logprobs": 2})
    choice = body["choices"][0]
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    assert [len(top) for top in choice["logprobs"]["top_logprobs"]] == [2, 2, 2]
    assert choice["logprobs"]["text_offset"][0] == 0


async def test_completion_of_several_prompts(served: Served) -> None:
    _, body = await served.post("/v1/completions", {"prompt": ["One", "Two", "Three"], "max_tokens": 2})
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert body["usage"]["completion_tokens"] == 6


async def test_json_schema_is_kept_to(served: Served) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer", "maximum": 9}}, "required": ["age"]}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    _, body = await served.post(CHAT, {"messages": HELLO, "max_tokens": 60, "response_format": form, "seed": 1})
    assert isinstance(json.loads(body["choices"][0]["message"]["content"])["age"], int)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_a_forced_tool_call_happens(served: Served, choice: Any) -> None:
    ask = {"messages": HELLO, "tools": [WEATHER], "tool_choice": choice, "max_tokens": 60, "temperature": 0}
    _, body = await served.post(CHAT, ask)
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_weather"
    assert isinstance(json.loads(call["function"]["arguments"])["city"], str)


async def test_streamed_tool_call_has_indexed_deltas(served: Served) -> None:
    ask = {"messages": HELLO, "tools": [WEATHER], "tool_choice": "required", "max_tokens": 60, "temperature": 0}
    chunks = await served.events(CHAT, ask)
    deltas = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert {delta["index"] for delta in deltas} == {0}
    assert deltas[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(delta["function"]["arguments"] for delta in deltas))
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_tools_reach_the_prompt_and_their_absence_leaves_it_alone(served: Served) -> None:
    _, without = await served.post("/v1/count_tokens", {"messages": HELLO})
    _, with_tools = await served.post("/v1/count_tokens", {"messages": HELLO, "tools": [WEATHER]})
    assert with_tools["n_tokens"] > without["n_tokens"] + 50
    assert without["n_tokens"] == 33


async def test_a_cached_prefix_is_reused(served: Served) -> None:
    ask = {"messages": [{"role": "user", "content": "Count the words of this very sentence."}], "max_tokens": 1}
    await served.post(CHAT, ask)
    _, again = await served.post(CHAT, ask)
    usage = again["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1


async def test_too_long_a_prompt_tells_both_numbers(served: Served) -> None:
    status, body = await served.post(CHAT, {"messages": [{"role": "user", "content": "fox " * 1500}], "stream": True})
    assert status == 400
    assert body["error"]["code"] == "context_length_exceeded"
    assert (body["error"]["n_prompt_tokens"], body["error"]["context_length"]) == (1531, 1024)


@pytest.mark.parametrize(
    "field",
    [{"echo": True}, {"reasoning_effort": "low"}, {"n": PARALLEL + 1}, {"logit_bias": {"word": 1}}],
)
async def test_what_llama_cpp_would_ignore_is_refused(served: Served, field: dict[str, Any]) -> None:
    status, body = await served.post(CHAT, {"messages": HELLO, "max_tokens": 1, **field})
    assert status == 400
    assert body["error"]["param"] in field


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 0), ("logit_bias", {"7042": 100}), ("max_tokens", 3), ("max_completion_tokens", 3)],
)
async def test_a_sampling_field_changes_the_answer(served: Served, field: str, value: Any) -> None:
    ask = {"messages": HELLO, "max_tokens": 6, "seed": 7, "temperature": 2.0}
    _, plain = await served.post(CHAT, ask)
    _, changed = await served.post(CHAT, {**ask, field: value})
    assert plain["choices"] != changed["choices"]


async def test_capabilities_of_this_model(served: Served) -> None:
    assert served.engine.capabilities == SUPPORTED_CAPABILITIES
    status, body = await served.post("/v1/embeddings", {"input": "x"})
    assert (status, body["error"]["code"]) == (400, "unsupported_parameter")


async def test_embeddings_beside_chat_when_asked_for(smollm2_path: Path) -> None:
    config = LlamaCppConfig("both", smollm2_path, context_length=512, parallel=1, with_embeddings=True)
    engine = LlamaCppEngine(config)
    try:
        answer = await engine.complete("embeddings", {"input": ["a", "b"]})
        chat = await engine.complete("chat/completions", {"messages": HELLO, "max_tokens": 2})
    finally:
        await engine.close()
    assert [len(item["embedding"]) for item in answer["data"]] == [576, 576]
    assert chat["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize("path", ["/v1/count_tokens", "/v1/label_logprobs"])
async def test_side_routes_read_text_only(served: Served, path: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/image.png"}}
    prompt = {"messages": [{"role": "user", "content": [image]}]}
    body = prompt if path == "/v1/count_tokens" else {"prompt": prompt, "labels": ["a"]}
    status, answer = await served.post(path, body)
    assert (status, answer["error"]["param"]) == (400, "messages[0].content")
