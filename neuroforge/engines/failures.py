"""What an engine's HTTP answer or a lost connection means: (status, body) -> one error of our tree.

Context keys that others read: `may_have_begun` (an engine may have worked on the request when it was lost, so it may be
what killed it) and `status` (of the engine's answer).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.errors import (
    ContextLengthExceeded,
    EngineError,
    EngineOverloaded,
    EngineTimeout,
    EngineUnavailable,
    NeuroForgeError,
    RequestError,
    UnsupportedParameter,
)

DEFAULT_RETRY_AFTER_S = 1.0
PROXY_CONNECT_S = 5.0
"""HAProxy gives up connecting to a replica sooner than this, so a later failure hit a request that was under way."""
MAX_MESSAGE_CHARS = 500
ECHO_BLOCK_CHARS = 12
"""An echo of 2 * 12 - 1 characters of the prompt always covers one aligned block of the message."""

_PROMPT_FIELDS = ("messages", "prompt", "suffix", "input", "content", "labels", "text")
_WIRE_WORDS = {"role", "type"}
"""Fields whose values are OpenAI's words, not the caller's."""
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_CONTEXT_WORDS = re.compile(
    r"maximum context length|exceeds? the (available )?context|context size has been exceeded", re.I
)
_PROMPT_TOKENS = re.compile(r"(?:contains|resulted in|requested) (?:at least )?(\d+) (?:input )?tokens")


class Answer(NamedTuple):
    """What came back from an engine or from the proxy before it."""

    model_id: str
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    raw: bytes
    elapsed_s: float
    """Since the request was sent."""


def error_from_answer(answer: Answer, body: JsonObject | None) -> NeuroForgeError:
    """Return the error for an answer that is not a success.

    Args:
        body: The request's own body, to make sure that no part of a prompt is in the message.
    """
    envelope = _envelope(answer.raw)
    if answer.status == 429:
        what, retry_after_s = f"{answer.model_id}: its queue is full", _retry_after_s(answer.headers)
        return EngineOverloaded(what, model_id=answer.model_id, retry_after_s=retry_after_s)
    if envelope is None:
        return _error_from_proxy(answer)
    return error_from_envelope(answer.model_id, answer.status, envelope, body)


def error_from_envelope(model_id: str, status: int, envelope: JsonObject, body: JsonObject | None) -> NeuroForgeError:
    """Return the error for a decoded OpenAI error object, from an answer or from an event of a stream."""
    codes = {str(envelope.get("code")), str(envelope.get("type"))}
    message = safe_message(str(envelope.get("message") or ""), body)
    context: dict[str, Any] = {"model_id": model_id, "status": status}
    if status == 504 or EngineTimeout.code in codes:
        return EngineTimeout(f"{model_id}: the deadline passed in the engine", **context)
    if status in (404, 502, 503):
        return EngineUnavailable(f"{model_id}: {message}", may_have_begun=status == 502, **context)
    if status in (401, 403):
        return EngineError(f"{model_id}: the engine refused our key (status {status})", **context)
    if 400 <= status < 500:
        return _request_error(message, codes, envelope, context)
    return EngineError(f"{model_id}: {message}", **context)


def lost_connection(model_id: str, cause: BaseException, may_have_begun: bool) -> EngineUnavailable:
    """Return the error for a connection that was refused, or lost before a token came."""
    what = "connection lost" if may_have_begun else "no connection"
    return EngineUnavailable(
        f"{model_id}: {what} ({type(cause).__name__})", model_id=model_id, may_have_begun=may_have_begun
    )


def safe_message(message: str, body: JsonObject | None) -> str:
    """Return the engine's words, or a plain sentence where they quote the request's text."""
    text = message[:MAX_MESSAGE_CHARS].strip()
    if not text:
        return "the engine gave no reason"
    if body is not None and any(_is_quoted(text, part) for name in _PROMPT_FIELDS for part in _strings(body.get(name))):
        return "the engine refused the request (its reason quotes the request and is withheld)"
    return text


def _error_from_proxy(answer: Answer) -> NeuroForgeError:
    """No OpenAI envelope: the proxy speaks. A missing application is its plain 404.

    Serve's HAProxy turns its own 502, 503 and 504 into one fixed 500, which an HTTP server's Date header tells from an
    application's: what of them it was, only the time that passed can hint at.
    """
    model_id, status = answer.model_id, answer.status
    context: dict[str, Any] = {"model_id": model_id, "status": status}
    is_haproxy = status == 500 and "date" not in answer.headers
    if is_haproxy or status in (404, 502, 503, 504):
        lost = status in (502, 504) or (is_haproxy and answer.elapsed_s > PROXY_CONNECT_S)
        return EngineUnavailable(f"{model_id}: nothing answers there (status {status})", may_have_begun=lost, **context)
    if status in (401, 403):
        return EngineError(f"{model_id}: the engine refused our key (status {status})", **context)
    return EngineError(f"{model_id}: the engine answered with status {status}", **context)


def _request_error(message: str, codes: set[str], envelope: JsonObject, context: dict[str, Any]) -> RequestError:
    raw = str(envelope.get("message") or "")
    if codes & _CONTEXT_CODES or _CONTEXT_WORDS.search(raw):
        return _context_error(message, raw, envelope, context)
    if isinstance(envelope.get("param"), str):
        context["param"] = envelope["param"]
    kind = UnsupportedParameter if UnsupportedParameter.code in codes else RequestError
    return kind(message, **context)


def _context_error(message: str, raw: str, envelope: JsonObject, context: dict[str, Any]) -> ContextLengthExceeded:
    """Both numbers: from fields (ours; llama.cpp's n_ctx), else read from vLLM's or OpenAI's sentence."""
    n_prompt = envelope.get("n_prompt_tokens")
    limit = envelope.get("context_length") or envelope.get("n_ctx")
    if limit is None and (found := re.search(r"context length (?:is|of) (\d+)", raw)):
        limit = int(found[1])
    if n_prompt is None and (found := _PROMPT_TOKENS.search(raw)):
        n_prompt = int(found[1])
    model_id = context["model_id"]
    if n_prompt is None or limit is None:
        text = f"{model_id}: {message}"
    else:
        rest = "" if n_prompt > limit else ", and max_tokens asks for more than is left"
        text = f"{model_id}: the prompt has {n_prompt} tokens, the model's context holds {limit}{rest}"
    return ContextLengthExceeded(text, n_prompt_tokens=n_prompt, context_length=limit, **context)


def _envelope(raw: bytes) -> JsonObject | None:
    """OpenAI's error object, or one of its relatives; None when the answer is something else."""
    try:
        decoded = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(decoded, dict):
        return None
    inner = decoded.get("error")
    if isinstance(inner, dict):
        return inner
    if isinstance(inner, str):
        return {"message": inner}
    return decoded if decoded.get("object") == "error" and "message" in decoded else None


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds; the date form, which no engine sends, counts as unknown."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return DEFAULT_RETRY_AFTER_S


def _is_quoted(message: str, part: str) -> bool:
    if 4 <= len(part) < 2 * ECHO_BLOCK_CHARS and part in message:
        return True
    starts = range(0, len(message) - ECHO_BLOCK_CHARS + 1, ECHO_BLOCK_CHARS)
    return any(message[start : start + ECHO_BLOCK_CHARS] in part for start in starts)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _WIRE_WORDS:
                yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
