"""/admin/v1/router/rules, for callers with the scope admin: propose, shadow, apply, roll back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from neuroforge.contracts.ports_learning import RulesStore
from neuroforge.contracts.rules import InsightRequest, RoutingRules, RulesEntry, check_models
from neuroforge.errors import EngineUnavailable, RequestError
from neuroforge.gateway.admin import PREFIX, admit_admin, body_schema, many, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.parts import GatewayParts

LARGEST_VERSION = 2**31 - 1
_GIVEN_BY_THE_STORE = ("version", "created_at_s")


def rules_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """Rules and what became of them. All replicas decide by new ones within a second."""
    router = APIRouter(prefix=f"{PREFIX}/router/rules", tags=["admin"])

    @router.get("", operation_id="list_rules")
    async def list_rules(request: Request) -> Response:
        admit_admin(desk, request, None)
        return many(await _rules_of(parts).list_rules())

    @router.post(
        "",
        operation_id="propose_rules",
        status_code=201,
        responses={201: {"model": RulesEntry}},
        openapi_extra=body_schema(RoutingRules),
    )
    async def propose(request: Request) -> Response:
        call = admit_admin(desk, request, "rules.propose")
        rules = await read_contract(request, call, RoutingRules)
        check_models(rules, [model.model_id for model in parts.fleet_view.snapshot.models])
        if given := next((name for name in _GIVEN_BY_THE_STORE if getattr(rules, name)), None):
            raise RequestError(f"{given} is given when rules are proposed or applied: leave it out", param=given)
        entry = await _rules_of(parts).propose_rules(rules)
        call.target = entry.proposal_id
        return one(entry, 201)

    @router.post(
        "/insights",
        operation_id="update_routing_rules",
        responses={200: {"model": RulesEntry}},
        openapi_extra=body_schema(InsightRequest),
    )
    async def update(request: Request) -> Response:
        call = admit_admin(desk, request, "rules.update")
        wanted = await read_contract(request, call, InsightRequest)
        entry = await parts.tasks.update_routing_rules(wanted.insights, wanted.shadow)
        call.target = entry.proposal_id
        return one(entry)

    @router.post("/rollback", operation_id="rollback_rules", responses={200: {"model": RulesEntry}})
    async def rollback(
        request: Request, version: Annotated[int | None, Query(ge=0, le=LARGEST_VERSION)] = None
    ) -> Response:
        call = admit_admin(desk, request, "rules.rollback", None if version is None else str(version))
        entry = await _rules_of(parts).rollback_rules(version)
        call.target = entry.proposal_id
        return one(entry)

    @router.post("/{proposal_id}/shadow", operation_id="shadow_rules", responses={200: {"model": RulesEntry}})
    async def shadow(request: Request, proposal_id: str) -> Response:
        admit_admin(desk, request, "rules.shadow", proposal_id)
        return one(await _rules_of(parts).shadow_rules(proposal_id))

    @router.post("/{proposal_id}/apply", operation_id="apply_rules", responses={200: {"model": RulesEntry}})
    async def apply(request: Request, proposal_id: str, force: Annotated[bool, Query()] = False) -> Response:
        admit_admin(desk, request, "rules.force" if force else "rules.apply", proposal_id)
        return one(await _rules_of(parts).apply_rules(proposal_id, force))

    return router


def _rules_of(parts: GatewayParts) -> RulesStore:
    if parts.rules is None:
        raise EngineUnavailable("this gateway runs without a learner, which keeps the routing rules")
    return parts.rules
