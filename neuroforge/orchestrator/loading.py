"""A decision for a model that is not ready -> its load is asked for and waited for."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from neuroforge.contracts.models import EngineKind, ModelEndpoint, ModelState
from neuroforge.contracts.ports import FleetView
from neuroforge.contracts.routing import Waiting
from neuroforge.errors import EngineUnavailable, ModelNotFound, NeuroForgeError
from neuroforge.orchestrator.limits import Budget

FAILURE_GRACE_S = 5.0
"""How long an old failure may still be shown after a new load was asked for."""


@dataclass
class _Request:
    """What was asked of the fleet, and what came of it so far."""

    seen_in: ModelState
    at_s: float
    has_begun: bool = False


def ready_endpoint(fleet: FleetView, model_id: str) -> ModelEndpoint | None:
    """Return where the model answers now, or None while it does not.

    Raises:
        ModelNotFound: It has left the fleet since the decision.
    """
    endpoint = _find(fleet, model_id)
    return endpoint if endpoint.state == ModelState.READY else None


async def wait_until_ready(fleet: FleetView, model_id: str, budget: Budget) -> AsyncGenerator[Waiting, None]:
    """Yield Waiting every few seconds, and end when the model is ready.

    Raises:
        EngineUnavailable: It may not be loaded on demand, its load failed (with the fleet's reason), or took too long.
        EngineTimeout: The request's deadline passed first.
    """
    started_at_s = budget.clock()
    request: _Request | None = None
    while (endpoint := _find(fleet, model_id)).state != ModelState.READY:
        _check_can_load(endpoint, request, budget.clock())
        if endpoint.state == ModelState.LOADING:
            if request is not None:
                request.has_begun, request.seen_in = True, ModelState.LOADING
        elif request is None or request.seen_in != endpoint.state:
            request = _Request(endpoint.state, budget.clock())
            await _request_load(fleet, model_id)
            continue
        left_s = min(
            started_at_s + budget.limits.load_timeout_s - budget.clock(), budget.remaining_s(f"{model_id} is loading")
        )
        if left_s <= 0:
            what = f"{model_id}: not loaded within {budget.limits.load_timeout_s:g} s"
            raise EngineUnavailable(what, model_id=model_id)
        await fleet.wait_for_change(min(budget.limits.waiting_period_s, left_s))
        if (waiting := budget.waiting(model_id)) is not None:
            yield waiting


def _find(fleet: FleetView, model_id: str) -> ModelEndpoint:
    endpoint = fleet.snapshot.find(model_id)
    if endpoint is None:
        raise ModelNotFound(f"the model {model_id!r} was removed", model_id=model_id, known=[])
    return endpoint


async def _request_load(fleet: FleetView, model_id: str) -> None:
    """Whatever keeps the model from loading (memory, a missing file), for its caller the model is unavailable."""
    try:
        await fleet.request_load(model_id)
    except ModelNotFound:
        raise
    except NeuroForgeError as error:
        raise EngineUnavailable(f"{model_id}: cannot be loaded: {error.message}", model_id=model_id) from error


def _check_can_load(endpoint: ModelEndpoint, request: _Request | None, now_s: float) -> None:
    """A failed model gets one new chance by a request; one that loads already is waited for in any case.

    The fleet may show the old failure for a moment after it took the request. An upstream has nothing to load: failed
    means that it does not answer.
    """
    model_id, state = endpoint.model_id, endpoint.state
    if state == ModelState.FAILED:
        is_answered = request is not None and (request.has_begun or now_s - request.at_s >= FAILURE_GRACE_S)
        if is_answered or not endpoint.load_on_demand or endpoint.engine == EngineKind.OPENAI_HTTP:
            reason = endpoint.error or "no reason given"
            raise EngineUnavailable(f"{model_id} failed: {reason}", model_id=model_id)
    elif not endpoint.load_on_demand and state != ModelState.LOADING:
        what = f"{model_id} is {state.value} and is not loaded on demand"
        raise EngineUnavailable(what, model_id=model_id)
