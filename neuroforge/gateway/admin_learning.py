"""/admin/v1/router and /admin/v1/data, for callers with the scope admin: what was learned, and what is kept."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from neuroforge.contracts.outcomes import (
    DataSummary,
    ExportReport,
    ExportRequest,
    FitUpload,
    PurgeReport,
    RouterStatus,
)
from neuroforge.contracts.ports_learning import OutcomeData
from neuroforge.errors import EngineUnavailable
from neuroforge.gateway.admin import PREFIX, admit_admin, body_schema, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.learning import learner_of
from neuroforge.gateway.parts import GatewayParts


def router_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """What the router has learned, and the fit that it decides by."""
    router = APIRouter(prefix=f"{PREFIX}/router", tags=["admin"])

    @router.get("", operation_id="router_status", responses={200: {"model": RouterStatus}})
    async def status(request: Request) -> Response:
        admit_admin(desk, request, None)
        return one(await learner_of(parts).status())

    @router.post(
        "/fit",
        operation_id="apply_fit",
        responses={200: {"model": RouterStatus}},
        openapi_extra=body_schema(FitUpload),
    )
    async def apply_fit(request: Request) -> Response:
        call = admit_admin(desk, request, "router.apply_fit")
        status = await learner_of(parts).apply_fit(await read_contract(request, call, FitUpload))
        call.target = status.fit_id
        return one(status)

    return router


def data_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """What is kept of requests: shown, exported, deleted."""
    router = APIRouter(prefix=f"{PREFIX}/data", tags=["admin"])

    @router.get("", operation_id="data_summary", responses={200: {"model": DataSummary}})
    async def summary(request: Request) -> Response:
        admit_admin(desk, request, None)
        return one(await _data_of(parts).summary())

    @router.post(
        "/export",
        operation_id="export_data",
        responses={200: {"model": ExportReport}},
        openapi_extra=body_schema(ExportRequest),
    )
    async def export(request: Request) -> Response:
        call = admit_admin(desk, request, "data.export")
        wanted = await read_contract(request, call, ExportRequest)
        call.target = wanted.path
        n_rows = await _data_of(parts).export(wanted.path, wanted.after_seq, wanted.for_fit)
        return one(ExportReport(path=wanted.path, n_rows=n_rows))

    @router.delete("", operation_id="purge_data", responses={200: {"model": PurgeReport}})
    async def purge(
        request: Request,
        actor: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
        before_s: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
    ) -> Response:
        admit_admin(desk, request, "data.purge", actor)
        return one(await _data_of(parts).purge(actor, before_s))

    return router


def _data_of(parts: GatewayParts) -> OutcomeData:
    if parts.data is None:
        raise EngineUnavailable("this gateway runs without a learner, which keeps the data")
    return parts.data
