"""The hot path: read -> admit -> check -> ask the orchestrator -> answer, as one raw ASGI endpoint a route.

No dependency injection, no response model, no request object: docs/decisions/040.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import cast

import orjson
from starlette.types import Receive, Scope, Send

from neuroforge.contracts.answers import total_of, usage_of
from neuroforge.contracts.routing import Chunk, Decided, Decision, Spent
from neuroforge.errors import UnsupportedParameter
from neuroforge.gateway.ask import Ask
from neuroforge.gateway.auth import Caller
from neuroforge.gateway.body import read_body
from neuroforge.gateway.call import Call, call_of
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.errors import JSON_HEADERS, send_bytes
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.render import Renderer, StreamRenderer
from neuroforge.gateway.stream import EventSender
from neuroforge.gateway.watch import Deadline
from neuroforge.hangup import Watch

Parse = Callable[[bytes], tuple[Ask, Renderer]]


class Inference:
    """One route that asks a model."""

    def __init__(self, name: str, parse: Parse, parts: GatewayParts, desk: Desk) -> None:
        self._name = name
        self._parse = parse
        self._orchestrator = parts.orchestrator
        self._fleet_view = parts.fleet_view
        self._clock = parts.clock
        self._timeout_s = parts.options.request_timeout_s
        self._slack_s = parts.options.deadline_slack_s
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        call = call_of(scope)
        call.route = self._name
        caller = self._desk.admit_inference(call)
        ask, renderer = self._parse(await read_body(call, receive))
        caller.check_model(ask.model)
        if ask.is_auto or self._fleet_view.snapshot.find(ask.model) is not None:
            call.target = ask.model
        try:
            async with Watch(receive), Deadline(ask.deadline_s or self._timeout_s, self._slack_s):
                if ask.stream:
                    await self._stream(call, caller, ask, cast("StreamRenderer", renderer), send)
                else:
                    await self._complete(call, caller, ask, renderer, send)
        except UnsupportedParameter as error:
            raise name_field(error, ask) from error

    async def _complete(self, call: Call, caller: Caller, ask: Ask, renderer: Renderer, send: Send) -> None:
        asked_s = self._clock()
        completed = await self._orchestrator.complete(
            ask.routing(call, caller), ask.engine_request(call, self._timeout_s)
        )
        answered_s = self._clock()
        call.usage = usage_of(completed.body) or call.usage
        note_decision(call, completed.decision)
        book_spent(call, completed.spent)
        payload = orjson.dumps(renderer.whole(completed.body, completed.decision.model_id))
        timing = _timing(call, asked_s, answered_s, self._clock())
        await send_bytes(send, 200, payload, [*JSON_HEADERS, (b"server-timing", timing)])

    async def _stream(self, call: Call, caller: Caller, ask: Ask, renderer: StreamRenderer, send: Send) -> None:
        request = ask.engine_request(call, self._timeout_s)
        events = self._orchestrator.stream(ask.routing(call, caller), request)
        sender = EventSender(call, send, renderer, self._clock)
        model_id = ask.model
        spent: tuple[Spent, ...] = ()
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Chunk):
                        await sender.chunk(event.body, model_id)
                    elif isinstance(event, Decided):
                        note_decision(call, event.decision)
                        model_id, spent = event.decision.model_id, event.spent
                    else:
                        await sender.waiting(event.model_id)
            await sender.end(model_id)
        finally:
            sender.settle(request.n_prompt_tokens_estimate)
            book_spent(call, spent)


def book_spent(call: Call, spent: Sequence[Spent]) -> None:
    """Put what hedges that lost and calls given up have used on the books too, each under its model's name."""
    if spent:
        call.shares = ((call.model_id or "", call.usage), *((one.model_id, one.usage) for one in spent))
        call.usage = total_of([usage for _, usage in call.shares])


def note_decision(call: Call, decision: Decision) -> None:
    """Keep who answers for the books, and tell the caller in the headers."""
    call.model_id = decision.model_id
    call.decision_headers = [
        (b"x-neuroforge-model", decision.model_id.encode()),
        (b"x-neuroforge-decision", f"{decision.decision_id};reason={decision.reason}".encode()),
    ]
    if (prompt := decision.prompt) is not None:
        call.decision_headers.append((b"x-neuroforge-prompt", f"{prompt.name}@{prompt.version}".encode()))


def _timing(call: Call, asked_s: float, answered_s: float, now_s: float) -> bytes:
    model_s = answered_s - asked_s
    total_s = now_s - call.started_s
    return f"gateway;dur={(total_s - model_s) * 1000:.2f}, model;dur={model_s * 1000:.2f}".encode()


def name_field(error: UnsupportedParameter, ask: Ask) -> UnsupportedParameter:
    """Name the request's field where the router named the capability that no candidate has."""
    name = error.context.get("capability") or error.context.get("param")
    field = ask.field_by_capability.get(name) if isinstance(name, str) else None  # type: ignore[call-overload]
    if field is None or field == error.context.get("param"):
        return error
    return UnsupportedParameter(error.message, **{**error.context, "param": field})
