"""The routes that ask models, reached before FastAPI's own stack: docs/decisions/040."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send


class GatewayApp(FastAPI):
    """FastAPI for everything else; a POST to a hot path passes our middleware and nothing more.

    The hot paths stand in its router as well, so that another method on them is a 405 and not a 404.
    """

    def __init__(self, hot: Mapping[str, ASGIApp], middleware: list[Middleware], **options: Any) -> None:
        super().__init__(middleware=middleware, **options)
        self.router.routes += [Route(path, endpoint, methods=["POST"]) for path, endpoint in hot.items()]
        self._hot = {path: _within(middleware, endpoint) for path, endpoint in hot.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._hot.get(scope["path"])
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def _within(middleware: list[Middleware], app: ASGIApp) -> ASGIApp:
    for kind, arguments, options in reversed(middleware):
        app = kind(app, *arguments, **options)
    return app
