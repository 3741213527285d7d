"""/admin/v1/experiments, for callers with the scope admin: start, watch, stop, ask again, read what was found."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from neuroforge.contracts.experiment_desk import RerunRequest
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.ports_experiments import ExperimentsDesk
from neuroforge.errors import EngineUnavailable
from neuroforge.gateway.admin import PREFIX, StartKey, admit_admin, body_schema, many, one, read_contract, read_optional
from neuroforge.gateway.admin_experiments_data import add_results, add_uploads
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.parts import GatewayParts

_STATUS = {"model": ExperimentStatus}


def experiments_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """Fixed paths first: an id could be called like one of them otherwise."""
    router = APIRouter(prefix=f"{PREFIX}/experiments", tags=["experiments"])

    def experiments() -> ExperimentsDesk:
        if parts.experiments is None:
            raise EngineUnavailable("this gateway runs without an experiments desk")
        return parts.experiments

    @router.get("", operation_id="list_experiments")
    async def list_experiments(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        admit_admin(desk, request, None)
        return many((await experiments().list_experiments())[:limit])

    @router.post(
        "",
        operation_id="start_experiment",
        status_code=202,
        responses={202: _STATUS},
        openapi_extra=body_schema(ExperimentConfig),
    )
    async def start(request: Request, start_key: StartKey = None) -> Response:
        call = admit_admin(desk, request, "experiment.start")
        status = await experiments().start(await read_contract(request, call, ExperimentConfig), start_key)
        call.target = status.id
        return one(status, 202)

    @router.post(
        "/estimate",
        operation_id="estimate_experiment",
        responses={200: {"model": CostEstimate}},
        openapi_extra=body_schema(ExperimentConfig),
    )
    async def estimate(request: Request) -> Response:
        call = admit_admin(desk, request, None)
        return one(await experiments().estimate(await read_contract(request, call, ExperimentConfig)))

    add_uploads(router, desk, experiments)

    @router.get("/{experiment_id}", operation_id="find_experiment", responses={200: _STATUS})
    async def find(request: Request, experiment_id: str) -> Response:
        admit_admin(desk, request, None)
        return one(await experiments().status(experiment_id))

    @router.post("/{experiment_id}/cancel", operation_id="cancel_experiment", status_code=202, responses={202: _STATUS})
    async def cancel(request: Request, experiment_id: str) -> Response:
        admit_admin(desk, request, "experiment.cancel", experiment_id)
        return one(await experiments().cancel(experiment_id), 202)

    @router.post("/{experiment_id}/resume", operation_id="resume_experiment", status_code=202, responses={202: _STATUS})
    async def resume(request: Request, experiment_id: str) -> Response:
        admit_admin(desk, request, "experiment.resume", experiment_id)
        return one(await experiments().resume(experiment_id), 202)

    @router.post(
        "/{experiment_id}/rescore", operation_id="rescore_experiment", status_code=202, responses={202: _STATUS}
    )
    async def rescore(request: Request, experiment_id: str) -> Response:
        admit_admin(desk, request, "experiment.rescore", experiment_id)
        return one(await experiments().rescore(experiment_id), 202)

    @router.post(
        "/{experiment_id}/rerun",
        operation_id="rerun_experiment",
        status_code=202,
        responses={202: _STATUS},
        openapi_extra=body_schema(RerunRequest, is_required=False),
    )
    async def rerun(request: Request, experiment_id: str) -> Response:
        call = admit_admin(desk, request, "experiment.rerun", experiment_id)
        wanted = await read_optional(request, call, RerunRequest) or RerunRequest()
        return one(await experiments().rerun(experiment_id, wanted), 202)

    add_results(router, desk, experiments)
    return router
