"""/admin/v1/prompt-runs, for callers with the scope admin: prompts optimised on the server, started, watched, read."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.ports_prompt_runs import PromptRunDesk
from neuroforge.contracts.prompt_runs import PromptRunStatus
from neuroforge.errors import EngineUnavailable
from neuroforge.gateway.admin import PREFIX, StartKey, admit_admin, body_schema, many, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.files import HTML, PARQUET, stream_file
from neuroforge.gateway.parts import GatewayParts

_STATUS = {"model": PromptRunStatus}


def prompt_runs_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """Fixed paths first: an id could be called like one of them otherwise."""
    router = APIRouter(prefix=f"{PREFIX}/prompt-runs", tags=["prompts"])

    @router.get("", operation_id="list_prompt_runs")
    async def list_runs(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        admit_admin(desk, request, None)
        return many((await _runs(parts).list_runs())[:limit])

    @router.post(
        "",
        operation_id="start_prompt_run",
        status_code=202,
        responses={202: _STATUS},
        openapi_extra=body_schema(OptimizeConfig),
    )
    async def start(request: Request, start_key: StartKey = None) -> Response:
        call = admit_admin(desk, request, "prompt.optimize")
        status = await _runs(parts).start(await read_contract(request, call, OptimizeConfig), start_key)
        call.target = status.id
        return one(status, 202)

    @router.post(
        "/plan",
        operation_id="plan_prompt_run",
        responses={200: {"model": OptimizePlan}},
        openapi_extra=body_schema(OptimizeConfig),
    )
    async def plan(request: Request) -> Response:
        call = admit_admin(desk, request, None)
        return one(await _runs(parts).plan(await read_contract(request, call, OptimizeConfig)))

    @router.get("/{run_id}", operation_id="find_prompt_run", responses={200: _STATUS})
    async def find(request: Request, run_id: str) -> Response:
        admit_admin(desk, request, None)
        return one(await _runs(parts).status(run_id))

    @router.post("/{run_id}/cancel", operation_id="cancel_prompt_run", status_code=202, responses={202: _STATUS})
    async def cancel(request: Request, run_id: str) -> Response:
        admit_admin(desk, request, "prompt.cancel", run_id)
        return one(await _runs(parts).cancel(run_id), 202)

    @router.post("/{run_id}/resume", operation_id="resume_prompt_run", status_code=202, responses={202: _STATUS})
    async def resume(request: Request, run_id: str) -> Response:
        admit_admin(desk, request, "prompt.resume", run_id)
        return one(await _runs(parts).resume(run_id), 202)

    _add_results(router, parts, desk)
    return router


def _add_results(router: APIRouter, parts: GatewayParts, desk: Desk) -> None:
    @router.get("/{run_id}/result", operation_id="prompt_run_result", responses={200: {"model": OptimizationResult}})
    async def result(request: Request, run_id: str) -> Response:
        admit_admin(desk, request, None)
        return one(await _runs(parts).result(run_id))

    @router.get(
        "/{run_id}/report",
        operation_id="prompt_run_report",
        responses={200: {"content": {"text/html": {}}, "description": "The whole report."}},
    )
    async def report(request: Request, run_id: str) -> Response:
        admit_admin(desk, request, None)
        return await stream_file(_runs(parts), run_id, "report.html", HTML)

    @router.get(
        "/{run_id}/candidates",
        operation_id="prompt_run_candidates",
        responses={200: {"content": {PARQUET: {}}, "description": "Every prompt that was tried, as Parquet."}},
    )
    async def candidates(request: Request, run_id: str) -> Response:
        # Texts leave with this (demonstrations, replies): unlike numbers, that is noted.
        admit_admin(desk, request, "prompt.export", run_id)
        return await stream_file(_runs(parts), run_id, "candidates.parquet", PARQUET)

    @router.get(
        "/{run_id}/evaluations",
        operation_id="prompt_run_evaluations",
        responses={200: {"content": {PARQUET: {}}, "description": "What each prompt got on each item, as Parquet."}},
    )
    async def evaluations(request: Request, run_id: str) -> Response:
        admit_admin(desk, request, "prompt.export", run_id)
        return await stream_file(_runs(parts), run_id, "evaluations.parquet", PARQUET)


def _runs(parts: GatewayParts) -> PromptRunDesk:
    if parts.prompt_runs is None:
        raise EngineUnavailable("this gateway runs without a desk for prompt runs")
    return parts.prompt_runs
