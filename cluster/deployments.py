"""Serve shells around plain classes: they find their neighbours, build the plain object, and decide nothing."""

from pathlib import Path
from typing import Any

import psutil
import ray
from ray import serve
from ray.serve.config import ProxyLocation
from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp

from cluster.garbage import spare_garbage_collection
from cluster.names import FLEET_ACTOR, NAMESPACE, ON_HEAD, STATE_ACTOR
from cluster.resources import autoscaling, model_actor_options
from cluster.weights import model_facts, weights_path
from neuroforge.assets.memory import check_fits
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.models import ModelSpec
from neuroforge.errors import NeuroForgeError
from neuroforge.settings import Settings

QUIET_LOGS = LoggingConfig(enable_access_log=False)
"""Serve's own access log costs more than a routing decision; the audit log and the metrics say the same."""
_GATEWAY_MAX_ONGOING = 20_000
_START_TRIES = 2


def versioned(deployment: serve.Deployment, version: str) -> serve.Deployment:
    """Return the deployment with this code version, so that Serve keeps replicas whose version has not changed.

    Ray 2.60 took the public option away and makes a random version for every `serve.run`, which replaces all replicas
    even when only their number changes; `ray.serve._private.client` still honours the attribute
    (tests/cluster/test_lifecycle.py notices if it does no more).
    """
    deployment._version = version
    return deployment


@serve.ingress()
class LlamaCppReplica:
    """One copy of one GGUF model in this process."""

    def __init__(self, spec: ModelSpec, home: Path, n_models: int) -> None:
        # Here and not above: only this process needs llama.cpp.
        from neuroforge.engines.app import build_engine_app
        from neuroforge.engines.llamacpp import LlamaCppEngine
        from neuroforge.engines.llamacpp_params import LlamaCppConfig, available_cores, default_threads

        fleet = ray.get_actor(FLEET_ACTOR, namespace=NAMESPACE)
        token = ray.get(ray.get_actor(STATE_ACTOR, namespace=NAMESPACE).internal_token.remote())
        try:
            store = AssetStore(home)
            path = weights_path(store, spec)
            if spec.gpus == 0:
                check_fits(spec, model_facts(store, spec), free_bytes=psutil.virtual_memory().available)
            threads = spec.threads or default_threads(available_cores(), n_models)
            self._engine = LlamaCppEngine(LlamaCppConfig.from_spec(spec, path, threads))
        except NeuroForgeError as error:
            ray.get(fleet.report_failure.remote(spec.id, error.message))
            raise
        ray.get(fleet.report_abilities.remote(spec.id, self._engine.context_length, self._engine.capabilities))
        self._app = build_engine_app(self._engine, token)
        spare_garbage_collection()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return self._app

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises."""
        await self._engine.check_health()


def build_llamacpp_application(
    spec: ModelSpec, version: str, home: Path, drain_timeout_s: float, n_models: int
) -> serve.Application:
    """Return the application of one llama.cpp model."""
    deployment = serve.deployment(
        LlamaCppReplica,
        name="model",
        ray_actor_options=model_actor_options(spec),
        # The engine's own queue answers 429 with OpenAI's envelope; Serve's limit is only a last resort behind it.
        max_ongoing_requests=2 * (spec.parallel + spec.max_queue) + 64,
        graceful_shutdown_timeout_s=drain_timeout_s,
        health_check_period_s=2,
        health_check_timeout_s=30,
        max_constructor_retry_count=_START_TRIES,
        logging_config=QUIET_LOGS,
        **autoscaling(spec),
    )
    return versioned(deployment, version).bind(spec, home, n_models)


@serve.ingress()
class GatewayReplica:
    """Gateway, router and orchestrator: three rooms in the code, one replica at run time."""

    def __init__(self, settings: Settings) -> None:
        from cluster.app import build_gateway_app

        self._app = build_gateway_app(settings, serve.get_replica_context().replica_id.unique_id)
        spare_garbage_collection()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return self._app


def proxy_location(settings: Settings) -> ProxyLocation:
    """Return where HAProxy runs: wherever a gateway replica may, which reaches the models through its own node's."""
    return ProxyLocation.HeadOnly if settings.gateway.replicas == 1 else ProxyLocation.EveryNode


def build_gateway_application(settings: Settings) -> serve.Application:
    """Return the application that is the OpenAI-compatible endpoint."""
    deployment = serve.deployment(
        GatewayReplica,
        name="gateway",
        num_replicas=settings.gateway.replicas,
        ray_actor_options=_gateway_actor_options(settings),
        max_ongoing_requests=_GATEWAY_MAX_ONGOING,
        graceful_shutdown_timeout_s=settings.gateway.request_timeout,
        health_check_period_s=2,
        logging_config=QUIET_LOGS,
    )
    return deployment.bind(settings)


def _gateway_actor_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"num_cpus": settings.gateway.cpus}
    if proxy_location(settings) == ProxyLocation.HeadOnly:
        options["resources"] = ON_HEAD
    return options
