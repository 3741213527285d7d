"""The gateway's error envelope -> NeuroForge's own classes, chosen by `code`, else by HTTP status."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from neuroforge import errors
from neuroforge.contracts.base import JsonObject


def _all_classes(root: type[errors.NeuroForgeError]) -> Iterator[type[errors.NeuroForgeError]]:
    yield root
    for child in root.__subclasses__():
        yield from _all_classes(child)


_CLASS_BY_CODE = {one.code: one for one in _all_classes(errors.NeuroForgeError)}
_CLASS_BY_STATUS: dict[int, type[errors.NeuroForgeError]] = {
    400: errors.RequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.ConflictError,
    413: errors.RequestTooLarge,
    422: errors.RequestError,
    429: errors.RateLimited,
    502: errors.EngineError,
    503: errors.EngineUnavailable,
    504: errors.EngineTimeout,
}
_FROM_THE_PROXY = (500, 502, 503)
"""HAProxy's own pages while no gateway replica is there; the gateway itself always sends an envelope."""


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> errors.NeuroForgeError:
    """Rebuild the error behind an answer that is not 2xx.

    Context gets `http_status`, the envelope's other fields (`param`, both numbers of a context that is too short, ...)
    and, from headers, `retry_after_s` and `request_id`. An answer without envelope (a proxy's page) keeps its status.
    """
    context: dict[str, Any] = {"http_status": status}
    lowered = {name.lower(): value for name, value in headers.items()}
    if request_id := lowered.get("x-request-id"):
        context["request_id"] = request_id
    if (retry_after := lowered.get("retry-after", "")).replace(".", "", 1).isdigit():
        context["retry_after_s"] = float(retry_after)
    envelope = _envelope(body)
    if envelope is None and status in _FROM_THE_PROXY:
        return errors.EngineUnavailable(f"the gateway does not answer behind its proxy ({status})", **context)
    if envelope is None:
        kind = _CLASS_BY_STATUS.get(status, errors.NeuroForgeError)
        return kind(f"the server answered {status} without an explanation", **context)
    return error_from_envelope(envelope, context)


def error_from_envelope(envelope: JsonObject, context: Mapping[str, Any]) -> errors.NeuroForgeError:
    """Rebuild one error from `{"message", "code", "type", ...}`; `context` adds to the envelope's other fields."""
    status = int(context.get("http_status", 502))
    kind = _CLASS_BY_CODE.get(str(envelope.get("code"))) or _CLASS_BY_STATUS.get(status, errors.NeuroForgeError)
    extra = {
        name: value
        for name, value in envelope.items()
        if name not in ("message", "code", "type", "self") and value is not None
    }
    message = str(envelope.get("message") or f"the server answered {status}")
    return kind(message, **{**extra, **context})


def error_in_event(event: JsonObject) -> errors.NeuroForgeError | None:
    """Return the error that a stream's event carries, or None for an ordinary event.

    Chat and completion streams send `{"error": {...}}`, Responses streams `{"type": "error", "code", "message"}`.
    """
    envelope = event.get("error")
    if event.get("type") == "error":
        envelope = envelope if isinstance(envelope, dict) else event
    elif "choices" in event or "type" in event or not isinstance(envelope, dict):
        return None
    return error_from_envelope(envelope, {})


def _envelope(body: bytes) -> JsonObject | None:
    try:
        decoded = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    found = decoded.get("error") if isinstance(decoded, dict) else None
    return found if isinstance(found, dict) else None
