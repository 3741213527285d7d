"""The OpenAI-shaped ASGI ingress of one model's replica: HTTP -> engine -> JSON or server-sent events.

Only the gateway may call it: every route but /health asks for the internal token, on whichever port it is reached.
"""

import hmac
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Protocol, TypeVar, cast

import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import EngineRoute, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats
from neuroforge.contracts.ports_engines import INTERNAL_TOKEN_HEADER
from neuroforge.engines.app_stream import GONE_STATUS, EventStream, error_response, json_response, unless_gone
from neuroforge.errors import AuthenticationError, EngineError, NeuroForgeError, NotFound, RequestError

logger = logging.getLogger(__name__)
HEALTH_PATH = "/health"
C = TypeVar("C", bound=Contract)


class Engine(Protocol):
    """What the application needs of an engine; LlamaCppEngine is one."""

    async def complete(self, route: EngineRoute, body: JsonObject) -> JsonObject:
        """The whole answer."""
        ...

    def stream(self, route: EngineRoute, body: JsonObject) -> AsyncGenerator[bytes, None]:
        """Data of the events, [DONE] last."""
        ...

    async def count_tokens(self, prompt: PromptText) -> TokenCount:
        """After the chat template."""
        ...

    async def label_logprobs(self, request: LabelRequest) -> LabelLogprobs:
        """One score a label."""
        ...

    async def stats(self) -> EngineStats:
        """Of this replica."""
        ...

    async def check_health(self) -> None:
        """Raises when it cannot answer."""
        ...


def build_engine_app(engine: Engine, internal_token: str) -> ASGIApp:
    """Return the application; it works under any mount path (`root_path`).

    Raises:
        ValueError: An empty token, which would open every route.
    """
    if not internal_token:
        raise ValueError("the internal token is empty")
    routes = EngineRoutes(engine)
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", routes.chat, methods=["POST"]),
            Route("/v1/completions", routes.completion, methods=["POST"]),
            Route("/v1/embeddings", routes.embedding, methods=["POST"]),
            Route("/v1/count_tokens", routes.count_tokens, methods=["POST"]),
            Route("/v1/label_logprobs", routes.label_logprobs, methods=["POST"]),
            Route("/stats", routes.stats, methods=["GET"]),
            Route(HEALTH_PATH, routes.health, methods=["GET"]),
        ],
        exception_handlers={
            NeuroForgeError: _answer_error,
            ClientDisconnect: _answer_gone,
            404: _answer_not_found,
            405: _answer_not_found,
            500: _answer_bug,
        },
    )
    hot = {"/v1/chat/completions": routes.chat, "/v1/completions": routes.completion}
    return InternalOnly(Shortcut(app, hot), internal_token)


class Shortcut:
    """Takes the routes that generate past Starlette's layers, which cost each first token a part of a millisecond."""

    def __init__(self, app: ASGIApp, hot: Mapping[str, Callable[[Request], Awaitable[Response]]]) -> None:
        self._app = app
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST to a hot route here; all else is Starlette's."""
        path = str(scope["path"]).removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        handler = self._hot.get(path)
        if handler is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            response = await handler(Request(scope, receive, send))
        except NeuroForgeError as error:
            response = error_response(error)
        except ClientDisconnect:
            response = Response(status_code=GONE_STATUS)
        except Exception as error:  # noqa: BLE001 - the border: its message may quote the request, so only its places are told
            trace = "".join(traceback.format_tb(error.__traceback__))
            logger.error("unexpected error %s\n%s", type(error).__name__, trace)  # noqa: TRY400
            response = error_response(EngineError(f"the engine's application failed ({type(error).__name__})"))
        await response(scope, receive, send)


class InternalOnly:
    """Lets a request pass that carries the internal token, or asks for health."""

    def __init__(self, app: ASGIApp, internal_token: str) -> None:
        self._app = app
        self._token = internal_token.encode()
        self._header = INTERNAL_TOKEN_HEADER.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 to others; websockets are closed unanswered."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._is_allowed(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await error_response(AuthenticationError("the internal token is missing or wrong"))(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _is_allowed(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == self._header]
        if len(given) == 1 and hmac.compare_digest(given[0], self._token):
            return True
        path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
        return path == HEALTH_PATH and scope["method"] == "GET"


class EngineRoutes:
    """The endpoints."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        return await self._generate(request, "chat/completions")

    async def completion(self, request: Request) -> Response:
        """POST /v1/completions."""
        return await self._generate(request, "completions")

    async def embedding(self, request: Request) -> Response:
        """POST /v1/embeddings."""
        body = await _read_json(request)
        return await unless_gone(request, self._engine.complete("embeddings", body), orjson.dumps)

    async def count_tokens(self, request: Request) -> Response:
        """POST /v1/count_tokens."""
        prompt = _validated(PromptText, await _read_json(request))
        return await unless_gone(request, self._engine.count_tokens(prompt), _contract_json)

    async def label_logprobs(self, request: Request) -> Response:
        """POST /v1/label_logprobs."""
        labels = _validated(LabelRequest, await _read_json(request))
        return await unless_gone(request, self._engine.label_logprobs(labels), _contract_json)

    async def stats(self, _request: Request) -> Response:
        """GET /stats."""
        return json_response(_contract_json(await self._engine.stats()))

    async def health(self, _request: Request) -> Response:
        """GET /health."""
        await self._engine.check_health()
        return json_response(b'{"status":"ok"}')

    async def _generate(self, request: Request, route: EngineRoute) -> Response:
        body = await _read_json(request)
        if body.get("stream"):
            return EventStream(self._engine.stream(route, body))
        return await unless_gone(request, self._engine.complete(route, body), orjson.dumps)


async def _read_json(request: Request) -> JsonObject:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise RequestError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise RequestError("the body must be a JSON object")
    return body


def _validated(kind: type[C], body: JsonObject) -> C:
    """Validation's own message would quote the prompt: only places and rules are told."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"{place or 'body'}: {first['msg']}", param=place or None) from None


def _contract_json(contract: Contract) -> bytes:
    return contract.model_dump_json().encode()


def _answer_error(_request: Request, error: Exception) -> Response:
    return error_response(cast(NeuroForgeError, error))


def _answer_not_found(request: Request, _error: Exception) -> Response:
    return error_response(NotFound(f"no {request.method} here"))


def _answer_bug(_request: Request, error: Exception) -> Response:
    """The cause goes to the log only (Starlette raises it again)."""
    return error_response(EngineError(f"the engine's application failed ({type(error).__name__})"))


def _answer_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=GONE_STATUS)
