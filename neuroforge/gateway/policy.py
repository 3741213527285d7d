"""`model` and `neuroforge.route` of a request -> who picks the model, and within which bounds."""

from typing import Any, get_args

from pydantic import ValidationError

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRoute
from neuroforge.contracts.prompt_serving import MODEL_PREFIX
from neuroforge.contracts.routing import Policy, RouteOptions
from neuroforge.errors import ModelNotFound, RequestError, UnsupportedParameter

AUTO = "auto"
POLICIES: tuple[Policy, ...] = tuple(one for one in get_args(Policy) if one != "explicit")
"""What may stand in `model` instead of a model's id."""
SPEED_POLICIES = ("auto", "auto:fast")
"""Quality of vectors is not predicted."""
ROUTE = "neuroforge.route"
UNBOUNDED = RouteOptions()
"""What a request without `neuroforge.route` demands: nothing."""


def is_policy(model: str) -> bool:
    """Whether the name asks the router to pick; a model's id has no colon."""
    return model == AUTO or model.startswith("auto:")


def policy_of(model: str) -> Policy:
    """Return who picks: `explicit` for a model's id.

    Raises:
        ModelNotFound: `auto:` with something that is no policy; names those there are.
        UnsupportedParameter: A prompt, where none can be named.
    """
    if model.startswith(MODEL_PREFIX):
        raise UnsupportedParameter("prompts are served by name at /v1/chat/completions, not here", param="model")
    if not is_policy(model):
        return "explicit"
    for policy in POLICIES:
        if policy == model:
            return policy
    raise ModelNotFound(
        f"there is no routing policy {model!r}; there are: {', '.join(POLICIES)}",
        param="model",
        model_id=model,
        known=list(POLICIES),
    )


def route_options(request: JsonObject, policy: Policy, engine_route: EngineRoute) -> RouteOptions:
    """Return what the request demands of the router.

    Raises:
        RequestError: Bounds for a model that the caller named; names the field.
        UnsupportedParameter: Embeddings, where quality is not predicted, with a policy or bound that needs it.
    """
    if engine_route == "embeddings" and policy not in (*SPEED_POLICIES, "explicit"):
        raise UnsupportedParameter(
            f"embeddings take {' and '.join(SPEED_POLICIES)} only: their quality is not predicted", param="model"
        )
    given: dict[str, Any] = (request.get("neuroforge") or {}).get("route") or {}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return UNBOUNDED
    if engine_route == "embeddings":
        _refuse(given, ("min_quality", "weights"), "embeddings are not chosen by quality")
    if policy == "explicit":
        bounds = tuple(name for name in given if name not in ("explore", "session"))
        _refuse(given, bounds, f"the request names its model: bounds need one of {', '.join(POLICIES)}")
    try:
        return RouteOptions.model_validate({**given, "candidates": _tuple(given.get("candidates"))})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        param = ".".join([ROUTE, *(str(one) for one in problem["loc"])])
        raise RequestError(f"Invalid value for '{param}': {problem['msg']}", param=param) from None


def _refuse(given: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if name in given:
            raise UnsupportedParameter(f"'{ROUTE}.{name}' cannot be honoured: {why}", param=f"{ROUTE}.{name}")


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
