"""The engine's answer -> what the caller sees: our id, the public model name, usage where it is due."""

import base64
import sys
from array import array
from typing import Protocol

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.gateway.call import new_id

DONE = b"data: [DONE]\n\n"


class Renderer(Protocol):
    """One answer's form on one route; made anew for each request."""

    def whole(self, body: JsonObject, model_id: str) -> JsonObject:
        """The body of an answer that is not streamed."""
        ...


class StreamRenderer(Renderer, Protocol):
    """Of a route that can stream."""

    def begin(self, model_id: str) -> bytes:
        """What precedes the first chunk."""
        ...

    def chunk(self, body: JsonObject) -> bytes:
        """One chunk as SSE; may be empty."""
        ...

    def end(self) -> bytes:
        """What follows the last chunk."""
        ...

    def fail(self, envelope: JsonObject) -> bytes:
        """What a stream that broke ends with."""
        ...


def event(body: JsonObject) -> bytes:
    """One SSE event without a name."""
    return b"data: " + orjson.dumps(body) + b"\n\n"


class CompletionRenderer:
    """Chat and text completions, whose chunks pass nearly as they are."""

    def __init__(self, prefix: str, include_usage: bool) -> None:
        self._id = new_id(prefix)
        self._include_usage = include_usage
        self._model_id = ""
        self._usage: JsonObject | None = None
        self._last: JsonObject = {}

    def whole(self, body: JsonObject, model_id: str) -> JsonObject:
        """Usage is always there."""
        usage = body.get("usage") or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return {**body, "id": self._id, "model": model_id, "usage": usage}

    def begin(self, model_id: str) -> bytes:
        """Nothing precedes."""
        self._model_id = model_id
        return b""

    def chunk(self, body: JsonObject) -> bytes:
        """Usage is held back for a last chunk of its own, as OpenAI sends it, or left out."""
        shown = {**body, "id": self._id, "model": self._model_id}
        self._usage = shown.pop("usage", None) or self._usage
        self._last = shown
        if not shown.get("choices"):
            return b""
        if self._include_usage:
            shown["usage"] = None
        return event(shown)

    def end(self) -> bytes:
        """The usage, if asked for, then the end mark."""
        if not self._include_usage or self._usage is None:
            return DONE
        return event({**self._last, "choices": [], "usage": self._usage}) + DONE

    def fail(self, envelope: JsonObject) -> bytes:
        """An error event and no end mark."""
        return b"event: error\n" + event(envelope)


class EmbeddingRenderer:
    """Vectors; never streamed."""

    def __init__(self, is_base64: bool) -> None:
        self._is_base64 = is_base64

    def whole(self, body: JsonObject, model_id: str) -> JsonObject:
        """The public name, the encoding that was asked for, and no id, as OpenAI has none here."""
        usage = body.get("usage") or {"prompt_tokens": 0, "total_tokens": 0}
        data = in_base64(body["data"]) if self._is_base64 else body["data"]
        return {"object": "list", "data": data, "model": model_id, "usage": usage}


def in_base64(data: list[JsonObject]) -> list[JsonObject]:
    """Each vector as base64 of little-endian 32-bit floats, which OpenAI's SDK asks for."""
    return [{**one, "embedding": _encode(one["embedding"])} for one in data]


def _encode(vector: list[float]) -> str:
    packed = array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
