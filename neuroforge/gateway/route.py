"""POST /v1/route: the body of a chat request -> the Decision that it would get; nothing is executed."""

from starlette.types import Receive, Scope, Send

from neuroforge.errors import UnsupportedParameter
from neuroforge.gateway.body import read_body
from neuroforge.gateway.call import call_of
from neuroforge.gateway.chat import read_chat
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.errors import JSON_HEADERS, send_bytes
from neuroforge.gateway.infer import name_field, note_decision
from neuroforge.gateway.parts import GatewayParts


class RouteProbe:
    """Decides with the live load and the newest snapshot; teaches the router nothing and counts as no use."""

    def __init__(self, parts: GatewayParts, desk: Desk) -> None:
        self._tasks = parts.tasks
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        call = call_of(scope)
        call.route = "route"
        caller = self._desk.admit_inference(call)
        ask = self._desk.prompting.ask(read_chat(await read_body(call, receive)))
        caller.check_model(ask.model)
        try:
            decision = self._tasks.route(ask.routing(call, caller))
        except UnsupportedParameter as error:
            raise name_field(error, ask) from error
        note_decision(call, decision)
        await send_bytes(send, 200, decision.model_dump_json().encode(), JSON_HEADERS)
