"""Any failure -> status and OpenAI's error envelope."""

import math
from typing import Any

import orjson
from starlette.types import Send

from neuroforge.contracts.base import JsonObject
from neuroforge.errors import NeuroForgeError

JSON_HEADERS = [(b"content-type", b"application/json")]
_SHOWN_CONTEXT = (
    "n_prompt_tokens",
    "context_length",
    "fitting_context_length",
    "needed_bytes",
    "free_bytes",
    "known",
    "model_id",
)
"""Values behind a message that a program may want to read; all are numbers or public ids."""
DEFAULT_RETRY_S = 5.0


def envelope(message: str, kind: str, code: str | None, param: str | None = None, **extra: Any) -> JsonObject:
    """OpenAI's error body; `extra` stands beside the four fields that every client knows."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **extra}}


def envelope_of(error: NeuroForgeError) -> JsonObject:
    """The body for one of our own errors."""
    extra = {name: error.context[name] for name in _SHOWN_CONTEXT if error.context.get(name) is not None}
    param = error.context.get("param")
    return envelope(error.message, error.type, error.code, param if isinstance(param, str) else None, **extra)


def headers_of(error: NeuroForgeError) -> list[tuple[bytes, bytes]]:
    """Retry-After where another try may help, WWW-Authenticate where a key is missing."""
    if error.http_status == 401:
        return [(b"www-authenticate", b"Bearer")]
    retry_after_s = error.context.get("retry_after_s")
    if retry_after_s is None and error.http_status in (429, 503):
        retry_after_s = DEFAULT_RETRY_S
    if retry_after_s is None:
        return []
    return [(b"retry-after", str(max(1, math.ceil(float(retry_after_s)))).encode())]


def internal_envelope(request_id: str) -> JsonObject:
    """For what should not happen: nothing but the id under which the log has it."""
    message = f"the server failed on this request; its log has the cause under request id {request_id}"
    return envelope(message, "server_error", "internal_error")


async def send_json(
    send: Send, status: int, body: JsonObject, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer with a JSON body."""
    await send_bytes(send, status, orjson.dumps(body), [*JSON_HEADERS, *(headers or ())])


async def send_bytes(send: Send, status: int, payload: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer with a body that is whole."""
    length = (b"content-length", str(len(payload)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": payload})
