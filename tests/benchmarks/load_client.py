"""What wrk does, on asyncio sockets: `python -m tests.benchmarks.load_client URL CONCURRENCY SECONDS`."""

import asyncio
import json
import os
import sys
import time
from urllib.parse import urlsplit

import uvloop

from tests.benchmarks.figures import percentile


async def press(url: str, concurrency: int, seconds: float) -> dict[str, float]:
    """As wrk_post.lua prints it."""
    at = urlsplit(url)
    body = os.environ["BENCH_BODY"].encode()
    head = (
        f"POST {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {os.environ.get('BENCH_KEY', '')}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    latencies_s: list[float] = []
    started_s = time.perf_counter()

    async def one_connection() -> int:
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        n_failed = 0
        while time.perf_counter() - started_s < seconds:
            asked_s = time.perf_counter()
            writer.write(request)
            n_failed += await read_status(reader) != 200
            latencies_s.append(time.perf_counter() - asked_s)
        writer.close()
        return n_failed

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one_connection()) for _ in range(concurrency)]
    return {
        "n_requests": len(latencies_s),
        "seconds": time.perf_counter() - started_s,
        "p50_us": percentile(latencies_s, 50) * 1e6,
        "p95_us": percentile(latencies_s, 95) * 1e6,
        "n_failed": sum(task.result() for task in tasks),
    }


async def read_status(reader: asyncio.StreamReader) -> int:
    """Read one answer with a content-length to its end; return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split(b" ")[1])


def main() -> None:
    """Press and print."""
    url, concurrency, seconds = sys.argv[1:4]
    print(json.dumps(uvloop.run(press(url, int(concurrency), float(seconds)))))


if __name__ == "__main__":
    main()
