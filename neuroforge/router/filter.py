"""RoutingRequest + FleetSnapshot -> which models could answer, and for the others why not."""

from collections.abc import Iterable
from typing import NamedTuple

from neuroforge.contracts.models import Capability, ModelEndpoint, ModelState
from neuroforge.contracts.routing import FilterReason, FleetSnapshot, RoutingRequest
from neuroforge.errors import (
    ContextLengthExceeded,
    EngineUnavailable,
    ModelNotFound,
    NeuroForgeError,
    PermissionDenied,
    UnsupportedParameter,
)

CERTAIN_FACTOR = 8
"""The estimate comes from the text's length; only when it is this many times the context is no count needed."""

FIELD_BY_CAPABILITY: dict[Capability, str] = {
    "chat": "model",
    "completion": "model",
    "embedding": "model",
    "count_tokens": "model",
    "label_logprobs": "model",
    "json_object": "response_format",
    "json_schema": "response_format",
    "penalties": "presence_penalty",
    "vision": "messages",
    "audio": "messages",
}
"""Capabilities that are not called like the field that needs them."""


class Verdict(NamedTuple):
    """One model, and why it cannot be chosen (None = it can)."""

    endpoint: ModelEndpoint
    filtered: FilterReason | None


def find_explicit(request: RoutingRequest, snapshot: FleetSnapshot) -> ModelEndpoint:
    """Return the model that the caller named; whether it is loaded is the orchestrator's matter.

    Raises:
        EngineUnavailable: No snapshot has come yet.
        ModelNotFound: Nobody knows it; the message names the ids that the caller may use.
        PermissionDenied, UnsupportedParameter, ContextLengthExceeded: It cannot answer this request.
    """
    model_id = request.model_id or ""
    endpoint = snapshot.find(model_id)
    if endpoint is None:
        raise _unknown(request, snapshot)
    if not _is_allowed(endpoint, request):
        raise PermissionDenied(f"this key may not use the model {model_id!r}", param="model", model_id=model_id)
    if missing := request.requirements - endpoint.capabilities:
        raise _unsupported(missing, (endpoint,))
    if _is_certainly_too_long(endpoint, request):
        raise _too_long(request, (endpoint,))
    return endpoint


def filter_models(request: RoutingRequest, snapshot: FleetSnapshot) -> tuple[Verdict, ...]:
    """Judge every model, in the snapshot's order; the first failure in the order below is the reason.

    Order: not_allowed, not_a_candidate, capability, context_length, circuit_open, unhealthy, not_loaded. A model that
    could be loaded is chosen only when no ready one fits, one that is loading already before one that is not; a prompt
    that only may be too long is sent rather than refused when nothing larger fits.
    Raises:
        ModelNotFound: A candidate that the request names does not exist.
        EngineUnavailable, PermissionDenied, UnsupportedParameter, ContextLengthExceeded: Why none can answer.
    """
    if request.route.candidates is not None:
        _check_candidates(request, snapshot)
    reasons = [_hard_reason(endpoint, request) for endpoint in snapshot.models]
    if None not in reasons:
        raise _why_none(request, snapshot, reasons)
    roomy = [_fits(endpoint, request) for endpoint in snapshot.models]
    if any(is_roomy and reason is None for is_roomy, reason in zip(roomy, reasons, strict=True)):
        reasons = [
            "context_length" if reason is None and not is_roomy else reason
            for is_roomy, reason in zip(roomy, reasons, strict=True)
        ]
    best = min(
        _readiness(endpoint) for endpoint, reason in zip(snapshot.models, reasons, strict=True) if reason is None
    )
    return tuple(
        Verdict(endpoint, "not_loaded" if reason is None and _readiness(endpoint) > best else reason)
        for endpoint, reason in zip(snapshot.models, reasons, strict=True)
    )


def _check_candidates(request: RoutingRequest, snapshot: FleetSnapshot) -> None:
    known = {model.model_id for model in snapshot.models if _is_allowed(model, request)}
    for model_id in request.route.candidates or ():
        if model_id not in known and snapshot.find(model_id) is None:
            raise ModelNotFound(
                f"the candidate {model_id!r} does not exist; known: {', '.join(sorted(known)) or 'none'}",
                param="neuroforge.route.candidates",
                model_id=model_id,
                known=sorted(known),
            )


def _hard_reason(endpoint: ModelEndpoint, request: RoutingRequest) -> FilterReason | None:
    if not _is_allowed(endpoint, request):
        return "not_allowed"
    if request.route.candidates is not None and endpoint.model_id not in request.route.candidates:
        return "not_a_candidate"
    if not request.requirements <= endpoint.capabilities:
        return "capability"
    if _is_certainly_too_long(endpoint, request):
        return "context_length"
    if endpoint.model_id in request.open_circuits:
        return "circuit_open"
    if endpoint.model_id in request.excluded_models or endpoint.state == ModelState.FAILED:
        return "unhealthy"
    if _readiness(endpoint) > 1 and not endpoint.load_on_demand:
        return "not_loaded"
    return None


def _readiness(endpoint: ModelEndpoint) -> int:
    """0 = answers now, 1 = will without our doing, 2 = must be loaded."""
    if endpoint.state == ModelState.READY:
        return 0
    return 1 if endpoint.state == ModelState.LOADING else 2


def _is_allowed(endpoint: ModelEndpoint, request: RoutingRequest) -> bool:
    return request.allowed_models is None or endpoint.model_id in request.allowed_models


def _is_certainly_too_long(endpoint: ModelEndpoint, request: RoutingRequest) -> bool:
    limit = endpoint.context_length
    return limit is not None and request.n_prompt_tokens_estimate > CERTAIN_FACTOR * limit


def _fits(endpoint: ModelEndpoint, request: RoutingRequest) -> bool:
    limit = endpoint.context_length
    return limit is None or request.n_prompt_tokens_estimate + (request.max_tokens or 0) <= limit


def _why_none(
    request: RoutingRequest, snapshot: FleetSnapshot, reasons: Iterable[FilterReason | None]
) -> NeuroForgeError:
    """The error of the stage at which the last candidates fell."""
    pairs = list(zip(snapshot.models, reasons, strict=True))
    if not pairs:
        return EngineUnavailable("the fleet has no model yet")
    allowed = [(model, reason) for model, reason in pairs if reason not in ("not_allowed", "not_a_candidate")]
    if not allowed:
        whose = "the fleet's models" if request.route.candidates is None else "the candidates"
        return PermissionDenied(f"this key may use none of {whose}", param="model")
    capable = [(model, reason) for model, reason in allowed if reason != "capability"]
    if not capable:
        models = [model for model, _ in allowed]
        missing = request.requirements - frozenset().union(*(model.capabilities for model in models))
        return _unsupported(missing or request.requirements, models)
    fitting = [model for model, reason in capable if reason != "context_length"]
    if not fitting:
        return _too_long(request, [model for model, _ in capable])
    states = ", ".join(f"{model.model_id} is {_state(model, request)}" for model in fitting)
    return EngineUnavailable(f"no model can answer now: {states}")


def _state(model: ModelEndpoint, request: RoutingRequest) -> str:
    is_out = model.model_id in request.excluded_models or model.model_id in request.open_circuits
    return "not answering" if is_out else model.state.value


def _unknown(request: RoutingRequest, snapshot: FleetSnapshot) -> NeuroForgeError:
    if snapshot.version == 0 and not snapshot.models:
        return EngineUnavailable("the fleet is not known yet", retry_after_s=1.0)
    known = sorted(model.model_id for model in snapshot.models if _is_allowed(model, request))
    return ModelNotFound(
        f"the model {request.model_id!r} does not exist; known: {', '.join(known) or 'none'}",
        param="model",
        model_id=request.model_id,
        known=known,
    )


def _unsupported(missing: Iterable[Capability], models: Iterable[ModelEndpoint]) -> UnsupportedParameter:
    capability = min(missing)
    ids = sorted(model.model_id for model in models)
    who = ids[0] if len(ids) == 1 else "no model that you may use"
    verb = "does not offer" if len(ids) == 1 else "offers"
    return UnsupportedParameter(
        f"{who} {verb} {capability!r}",
        param=FIELD_BY_CAPABILITY.get(capability, capability),
        capability=capability,
        model_id=ids[0] if len(ids) == 1 else None,
    )


def _too_long(request: RoutingRequest, models: Iterable[ModelEndpoint]) -> ContextLengthExceeded:
    largest = max(models, key=lambda model: model.context_length or 0)
    n_estimate, limit = request.n_prompt_tokens_estimate, largest.context_length
    return ContextLengthExceeded(
        f"{largest.model_id}: the prompt has about {n_estimate} tokens, the model's context holds {limit}",
        n_prompt_tokens=n_estimate,
        context_length=limit,
        model_id=largest.model_id,
        param="messages",
    )
