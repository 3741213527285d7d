"""The real llama.cpp engine on the real SmolLM2, behind its own application and a real HTTP server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from neuroforge.contracts.ports import INTERNAL_TOKEN_HEADER
from neuroforge.engines.app import build_engine_app
from neuroforge.engines.llamacpp import SUPPORTED_CAPABILITIES, LlamaCppEngine
from neuroforge.engines.llamacpp_params import LlamaCppConfig
from neuroforge.errors import ConfigError, DataError, EngineUnavailable

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAT = "/v1/chat/completions"
PARALLEL = 2
MAX_QUEUE = 1
HELLO = [{"role": "user", "content": "Say hello."}]
ENDLESS = {"messages": HELLO, "max_tokens": 900, "ignore_eos": True}


def long_prompt(word: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": f"{word} " * 800}]


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass
class Served:
    """The engine, and a client with the internal token."""

    engine: LlamaCppEngine
    http: aiohttp.ClientSession
    url: str

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        async with self.http.post(self.url + path, json=body) as response:
            return response.status, await response.json()

    async def events(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """All chunks; the stream must end with [DONE]."""
        async with self.http.post(self.url + path, json={**body, "stream": True}) as response:
            assert response.content_type == "text/event-stream"
            lines = [line[6:].strip() async for line in response.content if line.startswith(b"data: ")]
        assert lines.pop() == b"[DONE]"
        return [json.loads(line) for line in lines]

    async def stats(self) -> dict[str, Any]:
        async with self.http.get(self.url + "/stats") as response:
            return dict(await response.json())

    async def wait_until_busy(self, n_slots: int) -> float:
        """Seconds until exactly so many slots work; the deadline is the test's own."""
        started_at_s = time.monotonic()
        while (await self.stats())["slots_busy"] != n_slots:
            assert time.monotonic() - started_at_s < 30, await self.stats()
        return time.monotonic() - started_at_s


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(smollm2_path: Path) -> AsyncIterator[Served]:
    config = LlamaCppConfig("smol", smollm2_path, context_length=1024, parallel=PARALLEL, max_queue=MAX_QUEUE)
    engine = LlamaCppEngine(config)
    app = Starlette(routes=[Mount("/models/smol", build_engine_app(engine, "the-token"))])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(
        headers={INTERNAL_TOKEN_HEADER: "the-token"}, connector=aiohttp.TCPConnector(force_close=True)
    ) as http:
        yield Served(engine, http, f"http://127.0.0.1:{port}/models/smol")
    server.should_exit = True
    await running
    await engine.close()


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


@pytest.fixture(scope="module")
def leaving_limit_s() -> list[float]:
    """One second, or on a machine too busy for that a quarter of the time that a long prompt takes; filled once."""
    return []


async def measured_limit_s(served: Served, known: list[float]) -> float:
    if not known:
        started_at_s = time.monotonic()
        await served.post(CHAT, {"messages": long_prompt("owl"), "max_tokens": 1})
        known.append(max(1.0, (time.monotonic() - started_at_s) / 4))
    return known[0]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("messages", [HELLO, long_prompt("fox")], ids=["generating", "reading"])
async def test_the_slot_is_free_within_a_second_when_the_client_leaves(
    served: Served, leaving_limit_s: list[float], stream: bool, messages: list[dict[str, Any]]
) -> None:
    limit_s = await measured_limit_s(served, leaving_limit_s)
    other = asyncio.create_task(served.post(CHAT, ENDLESS))
    await served.wait_until_busy(1)
    leaving = asyncio.create_task(served.post(CHAT, {**ENDLESS, "messages": messages, "stream": stream}))
    await served.wait_until_busy(2)
    leaving.cancel()
    leaving_took_s = await served.wait_until_busy(1)
    other.cancel()
    other_took_s = await served.wait_until_busy(0)
    assert leaving_took_s < limit_s
    assert other_took_s < limit_s


async def test_a_full_queue_refuses_and_a_waiting_request_can_leave(served: Served) -> None:
    running = [asyncio.create_task(served.post(CHAT, ENDLESS)) for _ in range(PARALLEL)]
    await served.wait_until_busy(PARALLEL)
    waiting = asyncio.create_task(served.post(CHAT, ENDLESS))
    while (await served.stats())["queued"] != 1:
        await asyncio.sleep(0.01)
    async with served.http.post(served.url + CHAT, json=ENDLESS) as refused:
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert (await refused.json())["error"]["code"] == "model_overloaded"
    waiting.cancel()
    while (await served.stats())["queued"] != 0:
        await asyncio.sleep(0.01)
    for task in running:
        task.cancel()
    await served.wait_until_busy(0)


async def test_the_loop_stays_free_while_prompts_are_read(served: Served) -> None:
    asks = [{**ENDLESS, "messages": long_prompt(word)} for word in ("cat", "dog")]
    reading = [asyncio.create_task(served.post(CHAT, ask)) for ask in asks]
    await served.wait_until_busy(PARALLEL)
    loop = asyncio.get_running_loop()
    longest_s, last_s = 0.0, loop.time()
    for _ in range(50):
        await asyncio.sleep(0.01)
        longest_s, last_s = max(longest_s, loop.time() - last_s), loop.time()
    for task in reading:
        task.cancel()
    assert longest_s < 1.0  # a blocking call would take as long as the prompts, some 10 s
    await served.wait_until_busy(0)


async def test_stats_count_what_was_done(served: Served) -> None:
    before = await served.stats()
    await served.post(CHAT, {"messages": HELLO, "max_tokens": 5})
    after = await served.stats()
    assert after["n_requests"] == before["n_requests"] + 1
    assert after["n_completion_tokens"] == before["n_completion_tokens"] + 5
    assert after["n_prompt_tokens"] == before["n_prompt_tokens"] + 33
    assert (after["slots_total"], after["slots_busy"], after["queued"]) == (PARALLEL, 0, 0)
    assert 0 < after["s_per_token"] < 5
    assert 0 < after["ttft_s"] < 30
    assert after["resident_bytes"] > 100e6


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/embeddings", "/v1/count_tokens", "/v1/label_logprobs"])
async def test_every_route_asks_for_the_internal_token(served: Served, path: str) -> None:
    async with served.http.post(served.url + path, json={}, headers={INTERNAL_TOKEN_HEADER: "wrong"}) as response:
        assert response.status == 401
        assert (await response.json())["error"]["type"] == "authentication_error"


async def test_llama_cpps_own_port_is_loopback_and_locked(served: Served) -> None:
    ports = {c.laddr for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address.ip for address in ports} == {"127.0.0.1"}
    for port in {address.port for address in ports}:
        async with served.http.get(f"http://127.0.0.1:{port}/props") as response:
            assert response.status in (401, 404)


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


async def test_close_cuts_streams_stops_threads_and_gives_memory_back(smollm2_path: Path) -> None:
    process = psutil.Process()
    threads_before, rss_before = process.num_threads(), process.memory_info().rss
    engine = LlamaCppEngine(LlamaCppConfig("closing", smollm2_path, context_length=4096, parallel=2))
    taken = process.memory_info().rss - rss_before
    stream = engine.stream("chat/completions", ENDLESS)
    await anext(stream)
    await engine.close()
    await engine.close()
    with pytest.raises(EngineUnavailable):
        await engine.stats()
    await stream.aclose()
    assert process.num_threads() <= threads_before + 1
    assert process.memory_info().rss - rss_before < 0.25 * taken


async def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but nothing else")
    with pytest.raises(DataError, match=r"broken\.gguf"):
        LlamaCppEngine(LlamaCppConfig("broken", broken))


async def test_an_unknown_engine_option_names_the_nearest(smollm2_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean n_batch"):
        LlamaCppEngine(LlamaCppConfig("x", smollm2_path, options={"n_bach": 32}))
