"""GatewayParts -> the ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from neuroforge.contracts.ports import Clock
from neuroforge.gateway.admin import fleet_router
from neuroforge.gateway.admin_experiments import experiments_router
from neuroforge.gateway.admin_keys import audit_router, keys_router
from neuroforge.gateway.admin_learning import data_router, router_router
from neuroforge.gateway.admin_live_tests import live_tests_router
from neuroforge.gateway.admin_prompt_runs import prompt_runs_router
from neuroforge.gateway.admin_prompts import prompts_router
from neuroforge.gateway.admin_rules import rules_router
from neuroforge.gateway.ask import Ask
from neuroforge.gateway.chat import read_chat
from neuroforge.gateway.completions import parse_completion
from neuroforge.gateway.desk import Desk, open_desk
from neuroforge.gateway.edge import Edge
from neuroforge.gateway.embeddings import parse_embedding
from neuroforge.gateway.exchange import StateExchange, running
from neuroforge.gateway.handlers import on_http_exception, on_invalid_request
from neuroforge.gateway.hot import GatewayApp
from neuroforge.gateway.infer import Inference
from neuroforge.gateway.learning import learning_router
from neuroforge.gateway.listing import health_router, models_router
from neuroforge.gateway.openapi import install_openapi
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.probes import COUNT, LABELS, Probe, count_tokens, label_logprobs
from neuroforge.gateway.prompted import Prompting
from neuroforge.gateway.render import CompletionRenderer, EmbeddingRenderer, Renderer
from neuroforge.gateway.responses import parse_response
from neuroforge.gateway.responses_events import ResponseRenderer
from neuroforge.gateway.route import RouteProbe
from neuroforge.gateway.tasks import TaskRoute
from neuroforge.gateway.wording import LabelRenderer

EXPOSED_HEADERS = (
    "x-request-id",
    "x-neuroforge-model",
    "x-neuroforge-decision",
    "x-neuroforge-prompt",
    "server-timing",
    "retry-after",
)


def build_app(parts: GatewayParts) -> FastAPI:
    """Put one gateway replica together. Its background loops run while the app's lifespan is open."""
    desk = open_desk(parts)
    exchange = StateExchange(parts, desk)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with running((exchange.run, *parts.background), parts.metrics):
            yield
        await exchange.drain()

    app = GatewayApp(
        _hot_routes(parts, desk),
        _middleware(parts, desk),
        title="NeuroForge",
        version=parts.options.version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={HTTPException: on_http_exception, RequestValidationError: on_invalid_request},
    )
    app.include_router(models_router(parts, desk))
    app.include_router(health_router(parts, desk))
    app.include_router(fleet_router(parts, desk))
    app.include_router(keys_router(parts, desk, exchange))
    app.include_router(audit_router(parts, desk, exchange))
    app.include_router(learning_router(parts, desk))
    app.include_router(router_router(parts, desk))
    app.include_router(rules_router(parts, desk))
    app.include_router(live_tests_router(parts, desk))
    app.include_router(prompts_router(parts, desk, exchange))
    app.include_router(data_router(parts, desk))
    app.include_router(experiments_router(parts, desk))
    app.include_router(prompt_runs_router(parts, desk))
    install_openapi(app)
    return app


def _middleware(parts: GatewayParts, desk: Desk) -> list[Middleware]:
    options = parts.options
    edge = Middleware(Edge, ledger=desk.ledger, clock=parts.clock, options=options)
    if not options.cors_origins:
        return [edge]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(options.cors_origins),
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
    )
    return [cors, edge]


def _hot_routes(parts: GatewayParts, desk: Desk) -> dict[str, ASGIApp]:
    return {
        "/v1/chat/completions": Inference("chat", partial(_chat, desk.prompting), parts, desk),
        "/v1/completions": Inference("completions", _completion, parts, desk),
        "/v1/embeddings": Inference("embeddings", _embedding, parts, desk),
        "/v1/responses": Inference("responses", partial(_response, parts.wall_clock), parts, desk),
        "/v1/count_tokens": Probe("count_tokens", COUNT, count_tokens, parts, desk),
        "/v1/route": RouteProbe(parts, desk),
        "/v1/tasks": TaskRoute(parts, desk),
        "/v1/label_logprobs": Probe("label_logprobs", LABELS, label_logprobs, parts, desk),
    }


def _chat(prompting: Prompting, payload: bytes) -> tuple[Ask, Renderer]:
    ask = prompting.ask(read_chat(payload))
    renderer = CompletionRenderer("chatcmpl-", ask.include_usage)
    return ask, LabelRenderer(renderer, ask.verbalizer) if ask.verbalizer else renderer


def _completion(payload: bytes) -> tuple[Ask, Renderer]:
    ask = parse_completion(payload)
    return ask, CompletionRenderer("cmpl-", ask.include_usage)


def _embedding(payload: bytes) -> tuple[Ask, Renderer]:
    ask, is_base64 = parse_embedding(payload)
    return ask, EmbeddingRenderer(is_base64)


def _response(wall_clock: Clock, payload: bytes) -> tuple[Ask, Renderer]:
    ask, request = parse_response(payload)
    return ask, ResponseRenderer(request, wall_clock())
