"""/admin/v1: status and the fleet, for callers with the scope admin. Answers are the contracts as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.fleet import ApplyRequest, FleetDiff
from neuroforge.contracts.gateway import GatewayStatus
from neuroforge.contracts.models import ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.runs import START_KEY
from neuroforge.errors import RequestError
from neuroforge.gateway.body import parse_contract, read_body
from neuroforge.gateway.call import Call, call_of
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.listing import missing_parts
from neuroforge.gateway.parts import GatewayParts

PREFIX = "/admin/v1"
StartKey = Annotated[str | None, Query(pattern=START_KEY, description="The same again starts no other run.")]
"""Of whoever starts a long run: makes finding it again independent of the answer to this request."""
C = TypeVar("C", bound=Contract)


def admit_admin(desk: Desk, request: Request, action: str | None, target: str | None = None) -> Call:
    """Let an administrator in and note what they do; reads (action None) are not audited."""
    call = call_of(request.scope)
    call.route = "admin"
    desk.admit(call, "admin")
    call.action, call.target = action, target
    return call


def one(answer: Contract, status: int = 200) -> Response:
    """One contract as the whole body."""
    return Response(answer.model_dump_json(), status, media_type="application/json")


def many(answers: Sequence[Contract]) -> Response:
    """Contracts as OpenAI lists things."""
    return JSONResponse({"object": "list", "data": [answer.model_dump(mode="json") for answer in answers]})


def body_schema(kind: type[BaseModel], is_required: bool = True) -> JsonObject:
    """What the OpenAPI document says of a body that the route reads itself, after it knows who sends it."""
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"requestBody": {"required": is_required, "content": {"application/json": {"schema": schema}}}}


def fleet_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """What runs, and what should run."""
    router = APIRouter(prefix=PREFIX, tags=["admin"])
    fleet, started_s = parts.fleet, parts.clock()

    @router.get("/status", operation_id="status", responses={200: {"model": GatewayStatus}})
    async def status(request: Request) -> Response:
        admit_admin(desk, request, None)
        uptime_s = parts.clock() - started_s
        return one(_status(parts, desk, await fleet.statuses(), uptime_s))

    @router.get("/models", operation_id="list_fleet")
    async def list_fleet(request: Request) -> Response:
        admit_admin(desk, request, None)
        return many(await fleet.statuses())

    @router.post(
        "/models/{model_id}/load",
        operation_id="load_model",
        status_code=202,
        responses={202: {"model": ModelStatus}},
        openapi_extra=body_schema(ModelSpec, is_required=False),
    )
    async def load(request: Request, model_id: str) -> Response:
        call = admit_admin(desk, request, "model.load", model_id)
        spec = await read_optional(request, call, ModelSpec)
        if spec is not None and spec.id != model_id:
            raise RequestError(f"the path says {model_id!r}, but the body's id is {spec.id!r}", param="id")
        return one(await fleet.load(model_id, spec), 202)

    @router.post(
        "/models/{model_id}/unload",
        operation_id="unload_model",
        status_code=202,
        responses={202: {"model": ModelStatus}},
    )
    async def unload(request: Request, model_id: str) -> Response:
        admit_admin(desk, request, "model.unload", model_id)
        return one(await fleet.unload(model_id), 202)

    @router.post(
        "/models/{model_id}/scale",
        operation_id="scale_model",
        status_code=202,
        responses={202: {"model": ModelStatus}},
        openapi_extra=body_schema(ReplicaRange),
    )
    async def scale(request: Request, model_id: str) -> Response:
        call = admit_admin(desk, request, "model.scale", model_id)
        return one(await fleet.scale(model_id, await read_contract(request, call, ReplicaRange)), 202)

    @router.post(
        "/apply",
        operation_id="apply",
        responses={200: {"model": FleetDiff}},
        openapi_extra=body_schema(ApplyRequest),
    )
    async def apply(request: Request) -> Response:
        call = admit_admin(desk, request, "fleet.apply")
        wanted = await read_contract(request, call, ApplyRequest)
        if wanted.dry_run:
            call.action = None
        return one(await fleet.apply(wanted))

    return router


async def read_contract(request: Request, call: Call, kind: type[C]) -> C:
    """Read and check a body.

    Raises:
        RequestError: Not JSON, or not such a message; names the field.
    """
    return parse_contract(kind, await read_body(call, request.receive))


async def read_optional(request: Request, call: Call, kind: type[C]) -> C | None:
    """As `read_contract`; None without a body."""
    if call.headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in call.headers:
        return None
    return await read_contract(request, call, kind)


def _status(parts: GatewayParts, desk: Desk, models: tuple[ModelStatus, ...], uptime_s: float) -> GatewayStatus:
    missing = missing_parts(desk, parts.fleet_view.snapshot)
    return GatewayStatus(
        version=parts.options.version,
        replica_id=parts.options.replica_id,
        uptime_s=uptime_s,
        is_ready=not missing,
        missing=missing,
        n_in_flight=desk.ledger.n_in_flight,
        n_audit_waiting=len(desk.audit),
        n_audit_dropped=desk.audit.n_dropped,
        n_keys=desk.auth.n_live_keys,
        models=models,
        dashboard_url=parts.options.dashboard_url,
    )
