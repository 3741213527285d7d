"""Tokens a second and time to the first token through the gateway, against the same engine called in process.

SmolLM2 with one engine thread on both sides, the client in another process than the engine, blocks alternating in one
run. All prompts are the same, so their prefix is cached after the warm-up on both sides.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.models import ModelSpec
from tests.benchmarks.figures import Figure, at_least, at_most, median_ratio
from tests.benchmarks.fixed_app import CHAT
from tests.benchmarks.fixed_server import EMBEDDER
from tests.benchmarks.raw_stream import RawStream
from tests.server import RunningServer, serving

SPEC = ModelSpec(id="smollm2-135m-instruct", threads=1, parallel=4, context_length=1024)
N_STREAMS = 4
N_BLOCKS = 5
N_FIRST = 100
LEAST_THROUGHPUT = 0.95
MOST_LATER_MS = 6.0
TALK = [{"role": "user", "content": "Count upwards from one, for ever."}]
BODY: dict[str, Any] = {"messages": TALK, "temperature": 0, "logit_bias": {"0": -100, "2": -100}}
"""The end tokens cannot be drawn, so every stream is as long as it may be."""
THROUGHPUT = {**BODY, "max_tokens": 96}
FIRST = {**BODY, "max_tokens": 4}


@dataclass(frozen=True)
class Block:
    """What one block gave."""

    n_tokens: int
    seconds: float
    first_s: list[float]

    @property
    def tokens_per_second(self) -> float:
        """Over all streams."""
        return self.n_tokens / self.seconds


class InProcess:
    """The engine in a process of its own, without the gateway."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._line()  # it says that it is ready

    def block(self, n_streams: int, body: dict[str, Any]) -> Block:
        """Run so many streams at once."""
        if self._process.stdin is None:
            raise RuntimeError("the worker has no stdin")
        self._process.stdin.write(json.dumps({"n_streams": n_streams, "bodies": [body] * n_streams}) + "\n")
        self._process.stdin.flush()
        return Block(**json.loads(self._line()))

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the engine's worker ended")
        return line


class ThroughGateway:
    """The served engine."""

    def __init__(self, server: RunningServer) -> None:
        self._url = server.base_url + CHAT
        self._headers = {"authorization": f"Bearer {server.api_key}"}

    def raw_stream(self, body: dict[str, Any]) -> RawStream:
        """A connection that asks for this again and again."""
        payload = {**body, "model": SPEC.id, "stream": True, "stream_options": {"include_usage": True}}
        return RawStream(self._url, self._headers, payload)

    def block(self, n_streams: int, body: dict[str, Any]) -> Block:
        """Run so many streams at once."""
        return asyncio.run(self._block(n_streams, {**body, "model": SPEC.id}))

    async def _block(self, n_streams: int, body: dict[str, Any]) -> Block:
        payload = {**body, "stream": True, "stream_options": {"include_usage": True}}
        async with aiohttp.ClientSession(headers=self._headers) as session:
            async with session.get(self._url.replace(CHAT, "/healthz")):
                pass  # the connection is open before time is taken, as a client's would be
            started_s = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._stream(session, payload)) for _ in range(n_streams)]
            seconds = time.perf_counter() - started_s
        results = [task.result() for task in tasks]
        return Block(sum(n for n, _ in results), seconds, [first_s for _, first_s in results])

    async def _stream(self, session: aiohttp.ClientSession, payload: dict[str, Any]) -> tuple[int, float]:
        started_s, first_s, n_tokens = time.perf_counter(), -1.0, 0
        async with session.post(self._url, json=payload) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if not line.startswith(b"data: {"):
                    continue
                chunk = json.loads(line[6:])
                if first_s < 0 and any(choice["delta"].get("content") for choice in chunk["choices"]):
                    first_s = time.perf_counter() - started_s
                if chunk.get("usage"):
                    n_tokens = chunk["usage"]["completion_tokens"]
        return n_tokens, first_s


def run(home: Path, assets_home: Path, with_litellm: bool) -> list[Figure]:
    """Measure; see the module docstring. `with_litellm` has no meaning here."""
    del with_litellm
    store = AssetStore(assets_home)
    store.ensure(EMBEDDER)
    settings = {"models": [SPEC.model_dump(mode="json", exclude_defaults=True)], "auth": {"require_keys": True}}
    weights = store.ensure(SPEC.id)
    with serving(home, assets_home / "assets", settings, with_keys=True) as server, _in_process(weights, home) as bare:
        ours = ThroughGateway(server)
        sides: dict[str, InProcess | ThroughGateway] = {"in process": bare, "gateway": ours}
        blocks = _alternate(sides, N_STREAMS, THROUGHPUT, N_BLOCKS)
        first_ms = _alternate_firsts(ours, bare)
    rates = {name: [one.tokens_per_second for one in found] for name, found in blocks.items()}
    ratio = median_ratio(rates["gateway"], rates["in process"])
    pairs = zip(first_ms["gateway"], first_ms["in process"], strict=True)
    later_ms = statistics.median(one - other for one, other in pairs)
    return [
        at_least(f"tokens a second of {N_STREAMS} streams, gateway / in process", ratio, "ratio", LEAST_THROUGHPUT),
        at_most("first token with a cached prefix, gateway - in process", later_ms, "ms", MOST_LATER_MS),
        *(Figure(f"{N_STREAMS} streams, {name}", statistics.median(rates[name]), "tokens/s") for name in sides),
        *(Figure(f"first token, {name}", statistics.median(first_ms[name]), "ms") for name in sides),
    ]


def _alternate(
    sides: dict[str, InProcess | ThroughGateway], n_streams: int, body: dict[str, Any], n_blocks: int
) -> dict[str, list[Block]]:
    for side in sides.values():
        side.block(N_STREAMS, FIRST)  # every slot has the prompt's prefix
    found: dict[str, list[Block]] = {name: [] for name in sides}
    for _ in range(n_blocks):
        for name, side in sides.items():
            found[name].append(side.block(n_streams, body))
    return found


def _alternate_firsts(ours: ThroughGateway, bare: InProcess) -> dict[str, list[float]]:
    """Time to the first text in ms, one stream at a time, both sides in turn; the prefix is in the cache."""
    stream = ours.raw_stream(FIRST)
    try:
        for _ in range(2 * N_STREAMS):  # every slot has the prefix
            stream.first_s()
            bare.block(1, FIRST)
        found: dict[str, list[float]] = {"in process": [], "gateway": []}
        for _ in range(N_FIRST):
            found["in process"].append(bare.block(1, FIRST).first_s[0] * 1e3)
            found["gateway"].append(stream.first_s() * 1e3)
        return found
    finally:
        stream.close()


@contextmanager
def _in_process(weights: Path, home: Path) -> Iterator[InProcess]:
    command = [sys.executable, "-m", "tests.benchmarks.engine_worker", str(weights), SPEC.model_dump_json()]
    with (home / "engine_worker.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield InProcess(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.wait(30)
