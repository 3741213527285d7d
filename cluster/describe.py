"""ModelSpec + state -> ModelEndpoint: where a model answers and what it can do. Pure but for the environment given."""

from collections.abc import Mapping

from cluster.fleet_diff import is_preloaded
from neuroforge.contracts.models import Capability, EngineKind, ModelEndpoint, ModelSpec, ModelState, Upstream
from neuroforge.engines import llamacpp_capabilities, openai_http, vllm


def describe_model(spec: ModelSpec, state: ModelState, port: int, environ: Mapping[str, str]) -> ModelEndpoint:
    """Return the endpoint; of an upstream with the key that its environment variable holds.

    A missing variable makes the upstream `failed` with an error that names it.
    """
    capabilities = offered_capabilities(spec)
    if spec.capabilities is not None:
        capabilities &= frozenset(spec.capabilities)
    own = spec.upstream or Upstream(base_url=f"http://127.0.0.1:{port}/models/{spec.id}/v1", model=spec.id)
    key = environ.get(own.api_key_env) if own.api_key_env else None
    is_key_missing = own.api_key_env is not None and not key
    return ModelEndpoint(
        model_id=spec.id,
        engine=spec.engine,
        base_url=own.base_url.rstrip("/"),
        served_name=own.model or spec.id,
        context_length=spec.context_length,
        capabilities=capabilities,
        state=ModelState.FAILED if is_key_missing else state,
        load_on_demand=spec.load_on_demand,
        preload=is_preloaded(spec),
        price=spec.price,
        tags=spec.tags,
        api_key=key,
        connect_timeout_s=own.connect_timeout_s,
        max_retries=own.max_retries,
        error=f"environment variable {own.api_key_env} is not set" if is_key_missing else None,
    )


def offered_capabilities(spec: ModelSpec) -> frozenset[Capability]:
    """Return what the engine can do with any model; a loaded one reports its own (`report_abilities`)."""
    match spec.engine:
        case EngineKind.LLAMACPP:
            return llamacpp_capabilities.offered_capabilities(spec)
        case EngineKind.VLLM:
            return vllm.offered_capabilities(spec)
        case EngineKind.OPENAI_HTTP:
            return openai_http.OPENAI_HTTP_CAPABILITIES
