"""The outermost layer: opens the call, bounds the body, turns every failure into the envelope, books the call."""

import asyncio
import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.ports import Clock
from neuroforge.errors import NeuroForgeError, RequestTooLarge
from neuroforge.gateway.accounting import Ledger
from neuroforge.gateway.call import CLIENT_GONE, Call, open_call
from neuroforge.gateway.errors import envelope_of, headers_of, internal_envelope, send_json
from neuroforge.gateway.parts import GatewayOptions
from neuroforge.hangup import ClientGoneError

logger = logging.getLogger(__name__)


class Edge:
    """Pure ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, ledger: Ledger, clock: Clock, options: GatewayOptions) -> None:
        self._app = app
        self._ledger = ledger
        self._clock = clock
        self._max_body_bytes = options.max_body_bytes
        self._server_tells_id = options.server_tells_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = open_call(scope, self._clock(), self._server_tells_id)
        sender = _with_headers(call, send)
        self._ledger.open()
        try:
            await self._app(scope, _bounded(call, receive, self._max_body_bytes), sender)
        except NeuroForgeError as error:
            await _answer(call, error, sender)
        except ClientGoneError:
            call.status = CLIENT_GONE
        except asyncio.CancelledError:
            call.status = CLIENT_GONE
            raise
        except Exception as error:  # noqa: BLE001 - the border: whatever it is, the caller gets an envelope
            await _answer_unexpected(call, error, sender)
        finally:
            self._ledger.close(call)


def _with_headers(call: Call, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.has_started = True
            call.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *call.response_headers, *call.decision_headers]
        try:
            await send(message)
        except OSError as error:
            raise ClientGoneError from error

    return send_with_headers


def _bounded(call: Call, receive: Receive, max_bytes: int) -> Receive:
    n_bytes = 0

    async def receive_bounded() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > max_bytes:
            raise _too_large(max_bytes)
        return message

    async def refuse() -> Message:
        raise _too_large(max_bytes)

    declared = call.headers.get(b"content-length", b"")
    return refuse if declared.isdigit() and int(declared) > max_bytes else receive_bounded


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(f"the request body is larger than {max_bytes} bytes, the limit of this server")


async def _answer(call: Call, error: NeuroForgeError, send: Send) -> None:
    call.error_code = error.code
    if error.http_status >= 500:
        fields = {"request_id": call.request_id, "code": error.code, "status": error.http_status}
        logger.warning("request failed", extra=fields)
    await _finish(call, error.http_status, envelope_of(error), headers_of(error), send)


async def _answer_unexpected(call: Call, error: Exception, send: Send) -> None:
    # The message may quote the request, so only the kind and the places go to the log.
    trace = "".join(traceback.format_tb(error.__traceback__))
    fields = {"request_id": call.request_id, "path": call.path, "kind": type(error).__name__}
    logger.error("unexpected error %s\n%s", type(error).__name__, trace, extra=fields)
    call.error_code = "internal_error"
    await _finish(call, 500, internal_envelope(call.request_id), [], send)


async def _finish(call: Call, status: int, body: JsonObject, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    has_started = call.has_started
    try:
        if not has_started:
            await send_json(send, status, body, headers)
        elif call.fail_stream is not None:
            await call.fail_stream(body)
    except ClientGoneError:
        status = CLIENT_GONE
    call.status = status
