"""/admin/v1/keys and /admin/v1/audit, for callers with the scope admin. A key's hash never leaves with a list."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from neuroforge.contracts.keys import ApiKey, AuditVerdict, CreatedKey, KeySpec, KeyView
from neuroforge.gateway.admin import PREFIX, admit_admin, body_schema, many, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.exchange import StateExchange
from neuroforge.gateway.parts import GatewayParts

LARGEST_SEQ = 2**63 - 1


def keys_router(parts: GatewayParts, desk: Desk, exchange: StateExchange) -> APIRouter:
    """Keys: made, listed, revoked. This replica knows of a change at once, the others within a second."""
    router = APIRouter(prefix=f"{PREFIX}/keys", tags=["admin"])
    state = parts.state

    @router.get("", operation_id="list_keys")
    async def list_keys(request: Request) -> Response:
        admit_admin(desk, request, None)
        return many([_view(key) for key in await state.list_keys()])

    @router.post(
        "",
        operation_id="create_key",
        status_code=201,
        responses={201: {"model": CreatedKey}},
        openapi_extra=body_schema(KeySpec),
    )
    async def create_key(request: Request) -> Response:
        call = admit_admin(desk, request, "key.create")
        created = await state.create_key(await read_contract(request, call, KeySpec))
        call.target = created.key.id
        await exchange.try_once()
        return one(created, 201)

    @router.delete("/{key_id}", operation_id="revoke_key", responses={200: {"model": KeyView}})
    async def revoke_key(request: Request, key_id: str) -> Response:
        admit_admin(desk, request, "key.revoke", key_id)
        revoked = await state.revoke_key(key_id)
        await exchange.try_once()
        return one(_view(revoked))

    return router


def audit_router(parts: GatewayParts, desk: Desk, exchange: StateExchange) -> APIRouter:
    """The audit log, with this replica's own events handed over first."""
    router = APIRouter(prefix=f"{PREFIX}/audit", tags=["admin"])

    @router.get("", operation_id="tail_audit")
    async def tail(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
        after_seq: Annotated[int, Query(ge=0, le=LARGEST_SEQ)] = 0,
    ) -> Response:
        admit_admin(desk, request, None)
        await exchange.try_once()
        return many(await parts.state.tail_audit(limit, after_seq))

    @router.get("/verify", operation_id="verify_audit", responses={200: {"model": AuditVerdict}})
    async def verify(request: Request) -> Response:
        admit_admin(desk, request, None)
        await exchange.try_once()
        return one(await parts.state.verify_audit())

    return router


def _view(key: ApiKey) -> KeyView:
    return KeyView(id=key.id, spec=key.spec, created_at_s=key.created_at_s, revoked_at_s=key.revoked_at_s)
