"""settings -> Serve applications: the composition root. Wires, decides nothing."""

import time
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve

from cluster.actors import get_fleet_actor, get_state_actor
from cluster.deployments import build_gateway_application, proxy_location
from cluster.engine_client import build_engine_client
from cluster.experiments import get_experiments_actor
from cluster.handles import FleetHandle, StateHandle
from cluster.handles_experiments import ExperimentsHandle
from cluster.handles_learner import LearnerHandle
from cluster.handles_prompt_runs import PromptRunsHandle
from cluster.handles_prompts import PromptsHandle
from cluster.learner import get_learner_actor
from cluster.metrics import ClusterMetrics, RayMetrics
from cluster.names import GATEWAY_APP
from cluster.router_parts import build_router, load_router_embedder
from neuroforge import __version__
from neuroforge.assets.store import AssetStore
from neuroforge.gateway.app import build_app
from neuroforge.gateway.parts import GatewayOptions, GatewayParts
from neuroforge.gateway.prompt_uses import PromptUses
from neuroforge.orchestrator.breaker import BreakerLimits
from neuroforge.orchestrator.fleet_cache import FleetCache
from neuroforge.orchestrator.limits import OrchestratorLimits
from neuroforge.orchestrator.orchestrator import NeuroForgeOrchestrator
from neuroforge.router.exchange import RouterExchange
from neuroforge.settings import Settings, settings_from_tree


def build_gateway_app(settings: Settings, replica_id: str) -> FastAPI:
    """Return the ASGI app of one gateway replica, wired to the cluster's actors."""
    state_actor, fleet_actor = get_state_actor(settings), get_fleet_actor(settings)
    token = ray.get(state_actor.internal_token.remote())
    ray.get(fleet_actor.snapshot.remote())  # wakes the controller
    fleet, state = FleetHandle(fleet_actor), StateHandle(state_actor)
    view = FleetCache(fleet, replica_id, time.time)
    level, metrics = settings.router.record, RayMetrics()
    learner, desk = LearnerHandle(get_learner_actor(settings)), get_experiments_actor(settings)
    router = build_router(settings.router, metrics)
    router_exchange = RouterExchange(
        learner,
        router,
        level,
        lambda: load_router_embedder(AssetStore(settings.storage.home), settings.router.embedder),
        metrics=metrics,
        clock=time.monotonic,
    )
    uses = PromptUses()
    orchestrator = NeuroForgeOrchestrator(
        router,
        view,
        build_engine_client(token),
        time.monotonic,
        limits=orchestrator_limits(settings),
        on_outcome=uses.see,
        rules=learner,
        metrics=metrics,
        keeps_text=level == "text",
    )
    return build_app(
        GatewayParts(
            options=_options(settings, replica_id),
            orchestrator=orchestrator,
            tasks=orchestrator,
            fleet_view=view,
            fleet=fleet,
            state=state,
            metrics=metrics,
            metrics_source=ClusterMetrics(),
            learner=learner,
            rules=learner,
            live_tests=learner,
            data=learner,
            prompts=PromptsHandle(state, settings),
            prompt_uses=uses,
            experiments=ExperimentsHandle(desk),
            prompt_runs=PromptRunsHandle(desk),
            background=(view.run, router_exchange.run),
        )
    )


def orchestrator_limits(settings: Settings) -> OrchestratorLimits:
    """What the orchestrator is told of the settings; the rest of its limits suits every fleet."""
    gateway, chosen = settings.gateway, settings.orchestrator
    return OrchestratorLimits(
        load_timeout_s=gateway.load_timeout,
        task_timeout_s=gateway.request_timeout,
        hedge_share=chosen.hedge_share,
        hedge_quantile=chosen.hedge_quantile,
        slow_factor=chosen.slow_factor,
        slow_share=chosen.slow_share,
        breaker=BreakerLimits(
            failure_share=chosen.circuit_failure_share,
            min_calls=chosen.circuit_min_calls,
            window_s=chosen.circuit_window,
            open_s=chosen.circuit_open,
        ),
        max_fan_out=chosen.max_fan_out,
    )


def _options(settings: Settings, replica_id: str) -> GatewayOptions:
    gateway, auth = settings.gateway, settings.auth
    return GatewayOptions(
        version=__version__,
        replica_id=replica_id,
        is_loopback=gateway.is_loopback,
        server_tells_request_id=True,
        require_keys=auth.require_keys or not gateway.is_loopback,
        cors_origins=gateway.cors_origins,
        request_timeout_s=gateway.request_timeout,
        max_body_bytes=gateway.max_body_bytes,
        requests_per_minute=auth.requests_per_minute,
        tokens_per_minute=auth.tokens_per_minute,
    )


def build_application(args: dict[str, Any]) -> serve.Application:
    """Entry point of the generated Serve configuration: `args` is the settings tree.

    Raises:
        ConfigError: As settings_from_tree.
    """
    return build_gateway_application(settings_from_tree(args, source="Serve configuration, args"))


def serve_config(settings: Settings) -> dict[str, Any]:
    """Return what `serve deploy` takes: the gateway only.

    Models are loaded by the fleet controller, so deploying twice leaves loaded models up.
    """
    tree = settings.model_dump(mode="json", exclude_defaults=True)
    return {
        "proxy_location": proxy_location(settings).value,
        "http_options": {"host": settings.gateway.host, "port": settings.gateway.port},
        "logging_config": {"enable_access_log": False},
        "applications": [
            {
                "name": GATEWAY_APP,
                "route_prefix": "/",
                "import_path": "cluster.app:build_application",
                "args": tree,
            }
        ],
    }
