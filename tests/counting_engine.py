"""A gateway with models that answer after a fixed time, the same to the same question, and count what they are asked.

Over real HTTP on loopback, in a thread of its own, or as a process: `python -m tests.counting_engine MODELS SLOTS S`.
"""

import asyncio
import hashlib
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvloop

CHAT, MODELS, COUNTS = "/v1/chat/completions", "/admin/v1/models", "/counts"
ANSWERS = ("yes", "no", "perhaps")
N_PROMPT_TOKENS, N_COMPLETION_TOKENS = 10, 3


class CountingEngine:
    """Answers, at most `n_slots` at a time for each model; what is more waits."""

    spread_s = 0.0
    """Up to so much longer each answer takes, at random."""

    def __init__(self, model_ids: Sequence[str], n_slots: int, latency_s: float) -> None:
        self._model_ids = tuple(model_ids)
        self.answer: Callable[[dict[str, Any]], str] = answer_to
        self._n_slots = n_slots
        self._latency_s = latency_s
        self._slots = {model_id: asyncio.Semaphore(n_slots) for model_id in model_ids}
        self.calls: Counter[str] = Counter()
        """By model and request."""
        self.down: set[str] = set()
        self.n_open = 0
        self.most_open = 0
        self.busy_s = 0.0
        self._first_s: float | None = None
        self._last_s = 0.0

    @property
    def n_calls(self) -> int:
        """Chats asked so far."""
        return sum(self.calls.values())

    def report(self) -> dict[str, Any]:
        """What was asked, and which share of the slots' time between first and last answer was used."""
        span_s = self._last_s - (self._first_s or 0.0)
        share = self.busy_s / (span_s * self._n_slots * len(self._model_ids)) if span_s > 0 else 0.0
        return {
            "n_calls": self.n_calls,
            "n_asked_twice": sum(n - 1 for n in self.calls.values()),
            "busy_share": share,
            "most_open": self.most_open,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b" ", 2)
                body = await reader.readexactly(_length(head))
                await self._answer(method.decode(), path.decode(), body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == MODELS:
            _send_json(writer, {"object": "list", "data": [self._status(one) for one in self._model_ids]})
        elif path == COUNTS:
            _send_json(writer, self.report())
        elif path == CHAT and method == "POST":
            await self._chat(json.loads(body), writer)
        else:
            _send_json(writer, {"error": {"message": f"no route {path}", "code": "not_found"}}, 404)
        await writer.drain()

    async def _chat(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        model_id = request["model"]
        self.calls[_key(request)] += 1
        if model_id in self.down:
            _send_json(writer, {"error": {"message": f"{model_id} is down", "code": "model_unavailable"}}, 503)
            return
        self.n_open += 1
        self.most_open = max(self.most_open, self.n_open)
        try:
            async with self._slots[model_id]:
                begun_s = time.perf_counter()
                self._first_s = self._first_s or begun_s
                if wait_s := self._latency_s + random.uniform(0.0, self.spread_s):
                    await asyncio.sleep(wait_s)
                self._last_s = time.perf_counter()
                self.busy_s += self._last_s - begun_s
        finally:
            self.n_open -= 1
        send = _send_stream if request.get("stream") else _send_whole
        send(writer, self.answer(request))

    def _status(self, model_id: str) -> dict[str, Any]:
        stats = {"slots_total": self._n_slots, "slots_busy": 0, "queued": 0}
        price = {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0}
        named = {"id": model_id, "engine": "llamacpp", "digest": hashlib.sha256(model_id.encode()).hexdigest()}
        return {**named, "state": "ready", "n_replicas": 1, "stats": stats, "price": price}


def answer_to(request: dict[str, Any]) -> str:
    """Return the same answer to the same request."""
    return ANSWERS[int(hashlib.sha256(_key(request).encode()).hexdigest(), 16) % len(ANSWERS)]


def _key(request: dict[str, Any]) -> str:
    return json.dumps([request["model"], request["messages"], request.get("seed")])


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _send_json(writer: asyncio.StreamWriter, body: Any, status: int = 200) -> None:
    content = json.dumps(body).encode()
    writer.write(
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (status, len(content), content)
    )


_USAGE = {
    "prompt_tokens": N_PROMPT_TOKENS,
    "completion_tokens": N_COMPLETION_TOKENS,
    "total_tokens": N_PROMPT_TOKENS + N_COMPLETION_TOKENS,
}


def _send_whole(writer: asyncio.StreamWriter, text: str) -> None:
    message = {"role": "assistant", "content": text}
    _send_json(writer, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": _USAGE})


def _send_stream(writer: asyncio.StreamWriter, text: str) -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": _USAGE},
    ]
    content = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks) + b"data: [DONE]\n\n"
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b" % (len(content), content)
    )


async def _listen(engine: CountingEngine) -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextmanager
def counting(
    model_ids: Sequence[str], n_slots: int = 4, latency_s: float = 0.0
) -> Iterator[tuple[CountingEngine, str]]:
    """Serve from a thread until the block ends; yields the engine and its address."""
    engine = CountingEngine(model_ids, n_slots, latency_s)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server, url = asyncio.run_coroutine_threadsafe(_listen(engine), loop).result()
    try:
        yield engine, url
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    current = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not current]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _serve_for_ever(engine: CountingEngine) -> None:
    server, url = await _listen(engine)
    print(url, flush=True)
    await server.serve_forever()


def main(words: list[str]) -> None:
    """Serve MODELS (comma between them) with SLOTS each, S seconds an answer; print the address."""
    uvloop.run(_serve_for_ever(CountingEngine(words[0].split(","), int(words[1]), float(words[2]))))


if __name__ == "__main__":
    main(sys.argv[1:])
