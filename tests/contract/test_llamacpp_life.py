"""How the llama.cpp engine takes leaving clients, full queues, strangers and its own end."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from neuroforge.contracts.ports_engines import INTERNAL_TOKEN_HEADER
from neuroforge.engines.llamacpp import LlamaCppEngine
from neuroforge.engines.llamacpp_params import LlamaCppConfig
from neuroforge.errors import ConfigError, DataError, EngineUnavailable
from tests.contract.llamacpp_served import CHAT, ENDLESS, HELLO, PARALLEL, Served, serve_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")


def long_prompt(word: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": f"{word} " * 800}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(smollm2_path: Path) -> AsyncIterator[Served]:
    async with serve_engine(smollm2_path) as served:
        yield served


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
