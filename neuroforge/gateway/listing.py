"""GET /v1/models and /v1/models/{id}; GET /healthz and /readyz; GET /metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.gateway import MissingPart
from neuroforge.contracts.models import ModelEndpoint, ModelState
from neuroforge.contracts.prompts import PromptRelease
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.errors import EngineUnavailable, ModelNotFound, PermissionDenied
from neuroforge.gateway.auth import Caller
from neuroforge.gateway.call import call_of
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.errors import envelope_of, headers_of
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.policy import POLICIES

OWNER = "neuroforge"
PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def models_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """What may stand in `model`: policies, the models that this key may use, and prompts that need only a message."""
    router = APIRouter(tags=["models"])

    @router.get("/v1/models", operation_id="list_models")
    async def list_models(request: Request) -> JSONResponse:
        caller = _admit(desk, request)
        models = parts.fleet_view.snapshot.models
        shown = [_shown(one) for one in models if _may_see(caller, one.model_id)]
        prompts = [_prompt(name, one) for name, one in desk.prompting.shelf.by_model_name().items()]
        return JSONResponse({"object": "list", "data": [*map(_policy, POLICIES), *shown, *prompts]})

    @router.get("/v1/models/{model_id}", operation_id="show_model")
    async def show_model(request: Request, model_id: str) -> JSONResponse:
        caller = _admit(desk, request)
        if model_id in POLICIES:
            return JSONResponse(_policy(model_id))
        if (release := desk.prompting.shelf.by_model_name().get(model_id)) is not None:
            return JSONResponse(_prompt(model_id, release))
        return JSONResponse(_shown(_find(parts.fleet_view.snapshot, caller, model_id)))

    return router


def health_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """Whether the process lives, whether it can serve, and its numbers."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", operation_id="health")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz", operation_id="readiness")
    async def readiness() -> JSONResponse:
        missing = missing_parts(desk, parts.fleet_view.snapshot)
        if not missing:
            return JSONResponse({"status": "ready", "missing": []})
        names = ", ".join(f"{one.id} ({one.state})" for one in missing)
        error = EngineUnavailable(f"not ready: {names}", retry_after_s=1)
        headers = {name.decode(): value.decode() for name, value in headers_of(error)}
        shown = [one.model_dump() for one in missing]
        return JSONResponse({"status": "starting", "missing": shown, **envelope_of(error)}, 503, headers)

    @router.get("/metrics", operation_id="metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> PlainTextResponse:
        _admit(desk, request, "metrics")
        return PlainTextResponse(await parts.metrics_source.render(), media_type=PROMETHEUS_TYPE)

    return router


def missing_parts(desk: Desk, snapshot: FleetSnapshot) -> tuple[MissingPart, ...]:
    """Id and state of what must be there before the gateway is ready: keys, fleet, preloaded models."""
    missing: list[MissingPart] = []
    if not desk.auth.is_ready:
        missing.append(MissingPart(id="api-keys", state="loading"))
    if snapshot.version == 0:
        missing.append(MissingPart(id="fleet", state="unknown"))
    missing += [
        MissingPart(id=one.model_id, state=one.state.value)
        for one in snapshot.models
        if one.preload and one.state is not ModelState.READY
    ]
    return tuple(missing)


def _admit(desk: Desk, request: Request, route: str = "models") -> Caller:
    call = call_of(request.scope)
    call.route = route
    return desk.admit(call, None)


def _may_see(caller: Caller, model_id: str) -> bool:
    return caller.allowed_models is None or model_id in caller.allowed_models


def _find(snapshot: FleetSnapshot, caller: Caller, model_id: str) -> ModelEndpoint:
    if not _may_see(caller, model_id):
        raise PermissionDenied("this key may not use that model", param="model")
    found = snapshot.find(model_id)
    if found is None:
        known = sorted(one.model_id for one in snapshot.models if _may_see(caller, one.model_id))
        raise ModelNotFound(f"there is no such model; there are: {', '.join([*POLICIES, *known])}", known=known)
    return found


def _policy(policy: str) -> JsonObject:
    return {"id": policy, "object": "model", "created": 0, "owned_by": OWNER}


def _prompt(name: str, release: PromptRelease) -> JsonObject:
    about = {"prompt": release.name, "version": release.version}
    return {
        "id": name,
        "object": "model",
        "created": int(release.created_at_s),
        "owned_by": OWNER,
        "neuroforge": about,
    }


def _shown(model: ModelEndpoint) -> JsonObject:
    return {
        "id": model.model_id,
        "object": "model",
        "created": model.created_at_s,
        "owned_by": OWNER,
        "neuroforge": {
            "state": model.state.value,
            "engine": model.engine.value,
            "context_length": model.context_length,
            "capabilities": sorted(model.capabilities),
            "tags": list(model.tags),
        },
    }
