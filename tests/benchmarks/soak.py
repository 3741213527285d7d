"""10,000 requests at concurrency 32, then 1,000 open streams at once: no error, and memory stays flat.

Against the fixed-reply application, so that the gateway, the router and the proxy are what is worked.
"""

import asyncio
import json
import resource
import time
from pathlib import Path

import aiohttp

from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.fixed_app import CHUNK_S
from tests.benchmarks.fixed_server import gateway_target, serving_fixed
from tests.benchmarks.load import Target
from tests.benchmarks.memory import MemoryWatch, carriers

N_REQUESTS = 10_000
CONCURRENCY = 32
N_STREAMS = 1_000
STREAM_CHUNKS = 20
MOST_GROWTH = 0.05
"""Of the last quarter over the second, either way."""
MOST_FILES = 8_192


def run(home: Path, assets_home: Path, with_litellm: bool) -> list[Figure]:
    """Measure; see the module docstring. `with_litellm` has no meaning here."""
    del with_litellm
    with serving_fixed(home, assets_home) as server:
        asyncio.run(press_requests(gateway_target(server), N_REQUESTS // 10))  # caches fill before memory is judged
        with MemoryWatch(carriers(server)) as watch:
            started_s = time.monotonic()
            n_failed = asyncio.run(press_requests(gateway_target(server), N_REQUESTS))
            took_s = time.monotonic() - started_s
        n_open, n_broken = asyncio.run(press_streams(gateway_target(server, stream=True, max_tokens=STREAM_CHUNKS)))
    second, last = watch.quarter_mean(2), watch.quarter_mean(4)
    change = abs(last / second - 1)
    return [
        at_most(f"failed of {N_REQUESTS} requests at concurrency {CONCURRENCY}", n_failed, "requests", 0),
        Figure("rate", N_REQUESTS / took_s, "requests/s"),
        at_most(
            "memory of gateway, router and proxy, |last quarter / second - 1|",
            change,
            "ratio",
            MOST_GROWTH,
        ),
        Figure("memory of gateway, router and proxy, last quarter", last / 2**20, "MiB"),
        at_least("streams open at one moment", n_open, "streams", N_STREAMS),
        at_most(f"broken of {N_STREAMS} concurrent streams", n_broken, "streams", 0),
    ]


def _headers(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.key}", "content-type": "application/json"}


async def press_requests(target: Target, n_requests: int) -> int:
    """Send so many, CONCURRENCY at a time; return how many were not answered with 200 and a choice."""
    payload, left = json.dumps(target.body), iter(range(n_requests))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=_headers(target)) as session:

        async def one_caller() -> int:
            n_failed = 0
            for _ in left:
                async with session.post(target.url, data=payload) as answer:
                    body = await answer.read()
                    n_failed += answer.status != 200 or b'"choices"' not in body
            return n_failed

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one_caller()) for _ in range(CONCURRENCY)]
    return sum(task.result() for task in tasks)


async def press_streams(target: Target) -> tuple[int, int]:
    """Open N_STREAMS streams; return how many were open at one moment, and how many did not end with `[DONE]`."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MOST_FILES), hard))
    payload, n_open, most_open = json.dumps(target.body), 0, 0
    timeout = aiohttp.ClientTimeout(total=60 + 10 * STREAM_CHUNKS * CHUNK_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=_headers(target), timeout=timeout) as session:

        async def one_stream() -> bool:
            nonlocal n_open, most_open
            async with session.post(target.url, data=payload) as answer:
                first = await answer.content.readline()
                n_open += 1
                most_open = max(most_open, n_open)
                rest = await answer.read()
                n_open -= 1
                return answer.status == 200 and first.startswith(b"data: ") and rest.endswith(b"data: [DONE]\n\n")

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one_stream()) for _ in range(N_STREAMS)]
    return most_open, sum(not task.result() for task in tasks)
