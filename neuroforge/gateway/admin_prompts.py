"""/admin/v1/prompts, for callers with the scope admin: what is served by name, promoted and taken back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response

from neuroforge.contracts.ports_prompts import PromptDesk
from neuroforge.contracts.prompt_serving import LARGEST_VERSION, PRODUCTION, PromptDiff, PromptPromotion, read_reference
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.errors import EngineUnavailable
from neuroforge.gateway.admin import PREFIX, admit_admin, body_schema, many, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.exchange import StateExchange
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.prompt_views import ExportFormat, diff_of, export_of, find_entry

Which = Annotated[str, Query(min_length=1, max_length=64)]
"""An alias or a version."""


def prompts_router(parts: GatewayParts, desk: Desk, exchange: StateExchange) -> APIRouter:
    """Releases and what became of them. This replica serves a change at once, all others within a second."""
    router = APIRouter(prefix=f"{PREFIX}/prompts", tags=["admin"])

    @router.get("", operation_id="list_prompts")
    async def list_prompts(request: Request, name: Annotated[str | None, Query()] = None) -> Response:
        admit_admin(desk, request, None)
        entries = await _desk_of(parts).list_prompts()
        return many([entry for entry in entries if name in (None, entry.release.name)])

    @router.get("/{name}", operation_id="get_prompt", responses={200: {"model": PromptEntry}})
    async def get_prompt(request: Request, name: str, which: Which = PRODUCTION) -> Response:
        admit_admin(desk, request, None)
        return one(await _find(parts, name, which))

    @router.get("/{name}/diff", operation_id="diff_prompts", responses={200: {"model": PromptDiff}})
    async def diff(request: Request, name: str, left: Which, right: Which = PRODUCTION) -> Response:
        admit_admin(desk, request, None)
        found = [await _find(parts, name, which) for which in (left, right)]
        return one(diff_of(found[0].release, found[1].release))

    @router.get("/{name}/export", operation_id="export_prompt", response_class=PlainTextResponse)
    async def export(
        request: Request,
        name: str,
        which: Which = PRODUCTION,
        form: Annotated[ExportFormat, Query(alias="format")] = "yaml",
    ) -> Response:
        admit_admin(desk, request, None)
        return PlainTextResponse(export_of((await _find(parts, name, which)).release, form))

    @router.post(
        "/{name}/promote",
        operation_id="promote_prompt",
        responses={200: {"model": PromptEntry}},
        openapi_extra=body_schema(PromptPromotion),
    )
    async def promote(request: Request, name: str) -> Response:
        call = admit_admin(desk, request, "prompts.promote", name)
        promotion = await read_contract(request, call, PromptPromotion)
        entry = await _desk_of(parts).promote(name, promotion)
        call.target = f"{name}@{entry.release.version}"
        await exchange.try_once()
        return one(entry)

    @router.post("/{name}/rollback", operation_id="rollback_prompt", responses={200: {"model": PromptEntry}})
    async def rollback(
        request: Request,
        name: str,
        alias: Which = PRODUCTION,
        version: Annotated[int | None, Query(ge=1, le=LARGEST_VERSION)] = None,
    ) -> Response:
        call = admit_admin(desk, request, "prompts.rollback", name)
        entry = await _desk_of(parts).rollback(name, alias, version)
        call.target = f"{name}@{entry.release.version}"
        await exchange.try_once()
        return one(entry)

    return router


async def _find(parts: GatewayParts, name: str, which: str) -> PromptEntry:
    reference = read_reference(f"{name}@{which}")
    return find_entry(await _desk_of(parts).list_prompts(), reference)


def _desk_of(parts: GatewayParts) -> PromptDesk:
    if parts.prompts is None:
        raise EngineUnavailable("this gateway runs without a registry of prompts")
    return parts.prompts
