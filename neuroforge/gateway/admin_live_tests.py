"""/admin/v1/live-tests, for callers with the scope admin: models or prompts compared on live traffic."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestStatus
from neuroforge.contracts.ports_learning import LiveTestDesk
from neuroforge.errors import EngineUnavailable, RequestError
from neuroforge.gateway.admin import PREFIX, admit_admin, body_schema, many, one, read_contract
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.policy import POLICIES


def live_tests_router(parts: GatewayParts, desk: Desk) -> APIRouter:
    """Tests and what they say so far. All replicas assign by new ones within a second."""
    router = APIRouter(prefix=f"{PREFIX}/live-tests", tags=["admin"])

    @router.get("", operation_id="list_live_tests")
    async def list_tests(request: Request) -> Response:
        admit_admin(desk, request, None)
        return many(await _desk_of(parts).list_live_tests())

    @router.post(
        "",
        operation_id="create_live_test",
        status_code=201,
        responses={201: {"model": LiveTestStatus}},
        openapi_extra=body_schema(LiveTestSpec),
    )
    async def create(request: Request) -> Response:
        call = admit_admin(desk, request, "live_tests.create")
        spec = await read_contract(request, call, LiveTestSpec)
        call.target = spec.name
        check_models(spec, sorted(model.model_id for model in parts.fleet_view.snapshot.models))
        return one(await _desk_of(parts).create_live_test(spec), 201)

    @router.get("/{name}", operation_id="get_live_test", responses={200: {"model": LiveTestStatus}})
    async def get_test(request: Request, name: str) -> Response:
        admit_admin(desk, request, None)
        return one(await _desk_of(parts).live_test(name))

    @router.post("/{name}/stop", operation_id="stop_live_test", responses={200: {"model": LiveTestStatus}})
    async def stop(request: Request, name: str) -> Response:
        admit_admin(desk, request, "live_tests.stop", name)
        return one(await _desk_of(parts).stop_live_test(name))

    return router


def check_models(spec: LiveTestSpec, known: list[str]) -> None:
    """Return if a fleet of these models can run the test.

    Raises:
        RequestError: The target is neither a model nor a policy, or an arm's model does not exist.
    """
    if spec.target not in (*known, *POLICIES):
        raise RequestError(
            f"target: {spec.target!r} is neither a model nor a policy; known: {', '.join((*POLICIES, *known))}",
            param="target",
        )
    for place, arm in enumerate(spec.arms):
        if arm.model_id not in known:
            param = f"arms[{place}].model_id"
            told = f"{param}: the model {arm.model_id!r} does not exist; known: {', '.join(known) or 'none'}"
            raise RequestError(told, param=param)
    if spec.mode == "shadow" and spec.target in known and spec.arms[0].model_id != spec.target:
        raise RequestError(
            f"arms[0].model_id: in shadow mode the first arm is what answers, which is {spec.target!r} itself",
            param="arms[0].model_id",
        )


def _desk_of(parts: GatewayParts) -> LiveTestDesk:
    if parts.live_tests is None:
        raise EngineUnavailable("this gateway runs without a learner, which keeps live tests")
    return parts.live_tests
