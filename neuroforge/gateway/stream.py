"""Server-sent events: when headers go out, what a chunk does to the books, how a broken stream ends."""

from starlette.types import Send

from neuroforge.contracts.answers import usage_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import Usage
from neuroforge.contracts.ports import Clock
from neuroforge.gateway.call import Call
from neuroforge.gateway.render import StreamRenderer

SSE_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class EventSender:
    """Sends one stream. Nothing is on the wire until the first chunk or wait, so an error before it has its status."""

    def __init__(self, call: Call, send: Send, renderer: StreamRenderer, clock: Clock) -> None:
        self._call = call
        self._send = send
        self._renderer = renderer
        self._clock = clock
        self._n_chunks = 0
        self._has_usage = False
        self._has_begun = False

    async def waiting(self, model_id: str) -> None:
        """Tell that the model is loading, by a comment that clients skip."""
        await self._start()
        await self._write(b": loading " + model_id.encode() + b"\n\n")

    async def chunk(self, body: JsonObject, model_id: str) -> None:
        """Send one chunk and note its usage."""
        call = self._call
        if call.ttft_s is None:
            call.ttft_s = self._clock() - call.started_s
        if (usage := usage_of(body)) is not None:
            call.usage = usage
            self._has_usage = True
        if body.get("choices"):
            self._n_chunks += 1
        await self._start()
        preface = self._begin(model_id)
        if payload := preface + self._renderer.chunk(body):
            await self._write(payload)

    async def end(self, model_id: str) -> None:
        """Send what closes an answer that is complete."""
        await self._start()
        await self._send({"type": "http.response.body", "body": self._begin(model_id) + self._renderer.end()})

    async def fail(self, envelope: JsonObject) -> None:
        """Send the error as the last event."""
        await self._send({"type": "http.response.body", "body": self._renderer.fail(envelope)})

    def settle(self, n_prompt_tokens_estimate: int) -> None:
        """Book a stream that ended without usage: about one token a chunk."""
        if self._n_chunks and not self._has_usage:
            self._call.usage = Usage(n_prompt_tokens=n_prompt_tokens_estimate, n_completion_tokens=self._n_chunks)

    async def _start(self) -> None:
        call = self._call
        if call.has_started:
            return
        call.fail_stream = self.fail
        timing = f"first;dur={(self._clock() - call.started_s) * 1000:.2f}".encode()
        headers = [*SSE_HEADERS, (b"server-timing", timing)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def _begin(self, model_id: str) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        return self._renderer.begin(model_id)

    async def _write(self, payload: bytes) -> None:
        await self._send({"type": "http.response.body", "body": payload, "more_body": True})
