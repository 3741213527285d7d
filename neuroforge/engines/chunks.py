"""HTTP answer -> decoded chunks of a stream, with one deadline for all of them."""

import asyncio
from collections import deque

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.engines.failures import error_from_envelope, lost_connection
from neuroforge.engines.http1 import HttpLinkError
from neuroforge.engines.http_pool import HttpAnswer
from neuroforge.engines.sse import SseParser
from neuroforge.errors import EngineError, EngineTimeout, NeuroForgeError, StreamInterrupted

DONE = b"[DONE]"
DRAIN_S = 0.5
"""How long the end of the HTTP body may lag behind [DONE] before the connection is given up instead of reused."""


class ChunkReader:
    """Chunks of one answer. A timer closes the connection at the deadline, even while nobody reads."""

    def __init__(self, model_id: str, response: HttpAnswer, deadline_at_s: float, request_body: JsonObject) -> None:
        """`deadline_at_s` is a time of the running loop."""
        self._model_id = model_id
        self._response = response
        self._request_body = request_body
        self._parser = SseParser()
        self._pending: deque[bytes] = deque()
        self._n_chunks = 0
        self._has_finish_reason = False
        self._has_usage = False
        self._is_at_end = False
        self._is_late = False
        self._timer = asyncio.get_running_loop().call_at(deadline_at_s, self._expire)

    async def next_chunk(self) -> JsonObject | None:
        """Return the next chunk, or None after the last.

        Raises:
            EngineTimeout: The deadline passed.
            EngineUnavailable: The connection was lost before the first chunk.
            StreamInterrupted: It was lost later, or the engine sent an error or no end.
        """
        while not self._pending:
            if self._is_at_end:
                self._check_end()
                return None
            await self._read_piece()
        data = self._pending.popleft()
        if data == DONE:
            await self._drain()
            return None
        return self._decode(data)

    def close(self) -> None:
        """Hang up unless the whole answer has come; the engine then stops generating."""
        self._timer.cancel()
        self._response.close()

    def _expire(self) -> None:
        self._is_late = True
        self._response.close()

    async def _read_piece(self) -> None:
        try:
            piece = await self._response.read_some()
        except HttpLinkError as error:
            if not self._has_usage or self._is_late:
                raise self._interrupted(error) from error
            piece = b""  # usage is what comes last: nothing of the answer is missing
        if piece:
            self._pending.extend(self._parser.feed(piece))
        else:
            self._is_at_end = True
            self._pending.extend(self._parser.close())

    def _decode(self, data: bytes) -> JsonObject:
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise self._interrupted(error) from error
        if not isinstance(chunk, dict):
            raise self._interrupted(TypeError("a chunk is not an object"))
        if chunk.get("error"):
            raise self._error_event(chunk["error"])
        choices = chunk.get("choices") or ()
        if not all(isinstance(choice, dict) for choice in choices):
            raise self._interrupted(TypeError("a choice is not an object"))
        if choices and choices[0].get("finish_reason"):
            self._has_finish_reason = True
        self._has_usage = self._has_usage or bool(chunk.get("usage"))
        self._n_chunks += 1
        return chunk

    def _error_event(self, error: object) -> NeuroForgeError:
        envelope = error if isinstance(error, dict) else {"message": str(error)}
        code = envelope.get("code")
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        meant = error_from_envelope(self._model_id, status, envelope, self._request_body)
        if self._n_chunks == 0 or isinstance(meant, EngineTimeout):
            return meant
        return StreamInterrupted(meant.message, model_id=self._model_id)

    def _interrupted(self, cause: Exception) -> EngineError:
        if self._is_late:
            return EngineTimeout(f"{self._model_id}: the deadline passed", model_id=self._model_id)
        if self._n_chunks == 0:
            return lost_connection(self._model_id, cause, may_have_begun=True)
        what = f"{self._model_id}: the stream broke off after {self._n_chunks} chunks ({type(cause).__name__})"
        return StreamInterrupted(what, model_id=self._model_id)

    def _check_end(self) -> None:
        """Some servers send no [DONE]: then a finish_reason must have come."""
        if not self._has_finish_reason:
            raise self._interrupted(EOFError("no end of stream"))

    async def _drain(self) -> None:
        """Read the end of the HTTP body, so that the connection goes back to the pool."""
        if self._response.at_end:
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                while await self._response.read_some():
                    pass
        except (TimeoutError, HttpLinkError):
            self._response.close()
