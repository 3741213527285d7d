"""What goes into experiments and comes out: items, labels, analysis, report, cells."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import MAX_LABELS, CompareRequest, LabelReceipt, LabelSheet, ResultFile
from neuroforge.contracts.ports_experiments import ExperimentsDesk
from neuroforge.contracts.runs import ItemsPart, ItemsReceipt
from neuroforge.gateway.admin import admit_admin, body_schema, many, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.files import HTML, PARQUET, stream_file

_FORMATS: dict[str, tuple[ResultFile, str]] = {
    "html": ("report.html", HTML),
    "md": ("report.md", "text/markdown; charset=utf-8"),
}
Experiments = Callable[[], ExperimentsDesk]


def add_uploads(router: APIRouter, desk: Desk, experiments: Experiments) -> None:
    """Routes whose path names no experiment."""

    @router.put(
        "/items",
        operation_id="put_experiment_items",
        responses={200: {"model": ItemsReceipt}},
        openapi_extra=body_schema(ItemsPart),
    )
    async def put_items(request: Request) -> Response:
        call = admit_admin(desk, request, "experiment.items")
        part = await read_contract(request, call, ItemsPart)
        call.target = part.sha256
        return one(await experiments().put_items(part))

    @router.get("/items/{sha256}", operation_id="find_experiment_items", responses={200: {"model": ItemsReceipt}})
    async def find_items(request: Request, sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> Response:
        admit_admin(desk, request, None)
        return one(await experiments().find_items(sha256))

    @router.post(
        "/compare",
        operation_id="compare_experiments",
        responses={200: {"model": ExperimentComparison}},
        openapi_extra=body_schema(CompareRequest),
    )
    async def compare(request: Request) -> Response:
        call = admit_admin(desk, request, None)
        wanted = await read_contract(request, call, CompareRequest)
        return one(await experiments().compare(wanted.a, wanted.b))


def add_results(router: APIRouter, desk: Desk, experiments: Experiments) -> None:
    """What one experiment found."""

    @router.get("/{experiment_id}/analysis", operation_id="experiment_analysis", responses={200: {"model": Analysis}})
    async def analysis(request: Request, experiment_id: str) -> Response:
        admit_admin(desk, request, None)
        return one(await experiments().analysis(experiment_id))

    @router.get(
        "/{experiment_id}/report",
        operation_id="experiment_report",
        responses={200: {"content": {"text/html": {}, "text/markdown": {}}, "description": "The whole report."}},
    )
    async def report(
        request: Request, experiment_id: str, format: Annotated[Literal["html", "md"], Query()] = "html"
    ) -> Response:
        admit_admin(desk, request, None)
        name, media_type = _FORMATS[format]
        return await stream_file(experiments(), experiment_id, name, media_type)

    @router.get(
        "/{experiment_id}/cells",
        operation_id="experiment_cells",
        responses={200: {"content": {PARQUET: {}}, "description": "One row a cell, as Parquet."}},
    )
    async def cells(request: Request, experiment_id: str) -> Response:
        # Replies leave with this: unlike numbers, that is noted.
        admit_admin(desk, request, "experiment.export", experiment_id)
        return await stream_file(experiments(), experiment_id, "cells.parquet", PARQUET)

    @router.get(
        "/{experiment_id}/outcomes",
        operation_id="experiment_outcomes",
        responses={200: {"content": {PARQUET: {}}, "description": "Scores by model and question, to fit a router on."}},
    )
    async def outcomes(request: Request, experiment_id: str) -> Response:
        admit_admin(desk, request, "experiment.export", experiment_id)
        return await stream_file(experiments(), experiment_id, "outcomes.parquet", PARQUET)

    @router.get("/{experiment_id}/labels", operation_id="export_experiment_labels")
    async def export_labels(
        request: Request, experiment_id: str, limit: Annotated[int, Query(ge=1, le=MAX_LABELS)] = 100
    ) -> Response:
        admit_admin(desk, request, "experiment.export_labels", experiment_id)
        return many(await experiments().export_labels(experiment_id, limit))

    @router.post(
        "/{experiment_id}/labels",
        operation_id="import_experiment_labels",
        responses={200: {"model": LabelReceipt}},
        openapi_extra=body_schema(LabelSheet),
    )
    async def import_labels(request: Request, experiment_id: str) -> Response:
        call = admit_admin(desk, request, "experiment.labels", experiment_id)
        return one(await experiments().import_labels(experiment_id, await read_contract(request, call, LabelSheet)))
