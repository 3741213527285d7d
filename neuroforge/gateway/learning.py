"""/v1/feedback and /v1/decisions: what a caller says of an answer, and what the router thought of the request."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response

from neuroforge.contracts.outcomes import Feedback, FeedbackReceipt, OutcomeRecord
from neuroforge.contracts.ports_learning import Learner
from neuroforge.errors import EngineUnavailable, NotFound
from neuroforge.gateway.admin import body_schema, one, read_contract
from neuroforge.gateway.auth import Caller
from neuroforge.gateway.call import Call, call_of
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.parts import GatewayParts

T = TypeVar("T")
_ROUTERS_ID = re.compile(r"[0-9a-f]{16}")
"""As the router makes decision ids: only such a one can be on its way to the learner."""
_INTERNAL = {"embedding", "basis"}


def learning_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """Each caller reaches the decisions on its own requests, operators all."""
    router = APIRouter(prefix="/v1", tags=["learning"])

    @router.post(
        "/feedback",
        operation_id="give_feedback",
        responses={200: {"model": FeedbackReceipt}},
        openapi_extra=body_schema(Feedback),
    )
    async def give_feedback(request: Request) -> Response:
        call, caller = _admit(desk, request, "feedback")
        feedback = await read_contract(request, call, Feedback)
        call.action = "feedback.give"
        learner = learner_of(parts)
        receipt = await _ask(lambda: learner.give_feedback(feedback, _actor(caller)), feedback.decision_id, parts)
        call.target = receipt.decision_id  # only now: until it is found it is any text of the caller's
        return one(receipt)

    @router.get("/decisions/{decision_id}", operation_id="get_decision", responses={200: {"model": OutcomeRecord}})
    async def get_decision(request: Request, decision_id: str) -> Response:
        _, caller = _admit(desk, request, "decisions")
        learner = learner_of(parts)
        found = await _ask(lambda: learner.find_decision(decision_id, _actor(caller)), decision_id, parts)
        return Response(found.model_dump_json(exclude=_INTERNAL), media_type="application/json")

    return router


def learner_of(parts: GatewayParts) -> Learner:
    """Return the learner.

    Raises:
        EngineUnavailable: This gateway runs without one.
    """
    if parts.learner is None:
        raise EngineUnavailable("this gateway runs without a learner")
    return parts.learner


def _admit(desk: Desk, request: Request, route: str) -> tuple[Call, Caller]:
    """Any key may; it counts against the key's requests, as asking a model does."""
    call = call_of(request.scope)
    call.route = route
    caller = desk.admit(call, None)
    desk.limiter.admit(caller.key, call)
    return call, caller


def _actor(caller: Caller) -> str | None:
    return None if "admin" in caller.scopes else caller.actor


async def _ask(act: Callable[[], Awaitable[T]], decision_id: str, parts: GatewayParts) -> T:
    """Return the learner's answer; ask again while the decision may still be on its way from a gateway replica."""
    is_possible = _ROUTERS_ID.fullmatch(decision_id) is not None
    poll_s = parts.options.decision_poll_s
    deadline_s = parts.clock() + (parts.options.decision_wait_s if is_possible else 0.0)
    while True:
        try:
            return await act()
        except NotFound:
            if parts.clock() + poll_s >= deadline_s:
                raise
        await asyncio.sleep(poll_s)
