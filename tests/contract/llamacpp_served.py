"""The real llama.cpp engine on the real SmolLM2, behind its own application and a real HTTP server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from neuroforge.contracts.ports_engines import INTERNAL_TOKEN_HEADER
from neuroforge.engines.app import build_engine_app
from neuroforge.engines.llamacpp import LlamaCppEngine
from neuroforge.engines.llamacpp_params import LlamaCppConfig

CHAT = "/v1/chat/completions"
PARALLEL = 2
MAX_QUEUE = 1
HELLO = [{"role": "user", "content": "Say hello."}]
ENDLESS = {"messages": HELLO, "max_tokens": 900, "ignore_eos": True}


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


@asynccontextmanager
async def serve_engine(model_path: Path) -> AsyncIterator[Served]:
    """Mounted as Serve mounts it; the caller's loop must be the tests' loop."""
    config = LlamaCppConfig("smol", model_path, context_length=1024, parallel=PARALLEL, max_queue=MAX_QUEUE)
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
