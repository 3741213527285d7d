"""One HTTP request on its way through the gateway: what is known of it so far."""

import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from starlette.types import Scope

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import Usage

if TYPE_CHECKING:
    from neuroforge.gateway.auth import Caller

SCOPE_KEY = "neuroforge.call"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

NO_USAGE = Usage()
CLIENT_GONE = 499
"""Status in logs, metrics and audit when the caller hung up before the answer was complete."""


@dataclass(slots=True)
class Call:
    """Filled in as the request goes on; the edge closes it and books it."""

    request_id: str
    traceparent: str | None
    started_s: float
    method: str
    path: str
    peer: str | None
    headers: dict[bytes, bytes]
    route: str = ""
    """Name of the route for metrics; empty for those that are not counted."""
    action: str | None = None
    """What the audit log calls it; None = not audited."""
    target: str | None = None
    caller: "Caller | None" = None
    model_id: str | None = None
    """Of the decision, so always a model that exists."""
    usage: Usage = NO_USAGE
    shares: tuple[tuple[str, Usage], ...] = ()
    """`usage` by model, where several had a part in it; empty = all of it is `model_id`'s."""
    ttft_s: float | None = None
    status: int = 0
    error_code: str | None = None
    has_started: bool = False
    """Whether the response's status is on the wire."""
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """On every answer: ids and limits."""
    decision_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Who answers, once that is decided."""
    fail_stream: Callable[[JsonObject], Awaitable[None]] | None = None
    """How to end a stream that has started, given the error's envelope."""

    def header(self, name: bytes) -> str:
        """The header's text, or nothing; `name` in lower case."""
        return self.headers.get(name, b"").decode("latin-1")


def new_id(prefix: str) -> str:
    """Return a fresh id of 96 random bits."""
    return prefix + os.urandom(12).hex()


def open_call(scope: Scope, now_s: float, server_tells_id: bool) -> Call:
    """Read what the headers say; a request id and a trace context of the caller are kept when they are well formed.

    Args:
        server_tells_id: The server puts the id it was given on the answer, so that it must not stand there twice.
    """
    headers = dict(scope["headers"])
    given_id = headers.get(b"x-request-id", b"").decode("latin-1")
    trace = headers.get(b"traceparent", b"").decode("latin-1")
    client = scope.get("client")
    call = Call(
        request_id=given_id if _SANE_ID.fullmatch(given_id) else new_id("req_"),
        traceparent=trace if trace and _TRACEPARENT.fullmatch(trace) else None,
        started_s=now_s,
        method=scope["method"],
        path=scope["path"],
        peer=client[0] if client else None,
        headers=headers,
    )
    if not server_tells_id or call.request_id != given_id:
        call.response_headers.append((b"x-request-id", call.request_id.encode()))
    if call.traceparent:
        call.response_headers.append((b"traceparent", call.traceparent.encode()))
    scope[SCOPE_KEY] = call
    return call


def call_of(scope: Scope) -> Call:
    """The call that the edge opened for this request."""
    return cast(Call, scope[SCOPE_KEY])
