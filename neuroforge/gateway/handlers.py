"""What the frameworks raise on their own -> our envelope: unknown routes, wrong methods, bad bodies of admin routes."""

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from neuroforge.errors import RequestError
from neuroforge.gateway.body import path_of
from neuroforge.gateway.errors import envelope, envelope_of

_METHODS_BY_PATH = {"/admin/v1/keys": "GET, POST", "/admin/v1/data": "DELETE, GET"}
"""Paths with several methods: Starlette's Allow header names those of the first route only."""
_CODE_BY_STATUS = {404: "route_not_found", 405: "method_not_allowed", 413: "request_too_large"}


async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """404 and 405 of the router, and whatever else Starlette raises."""
    if not isinstance(error, HTTPException):
        raise error
    messages = {
        404: "there is no such route here",
        405: f"this route does not take {request.method}",
    }
    message = messages.get(error.status_code, "the request cannot be read")
    body = envelope(message, "invalid_request_error", _CODE_BY_STATUS.get(error.status_code, "invalid_request"))
    headers = dict(error.headers or {})
    if error.status_code == 405 and request.url.path in _METHODS_BY_PATH:
        headers["Allow"] = _METHODS_BY_PATH[request.url.path]
    return JSONResponse(body, status_code=error.status_code, headers=headers)


async def on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    """FastAPI's validation of path and query: 400, and never the input."""
    if not isinstance(error, RequestValidationError):
        raise error
    problem = error.errors()[0]
    param = path_of(tuple(problem["loc"][1:]))
    refusal = RequestError(f"Invalid value for '{param}': {problem['msg']}", param=param)
    return JSONResponse(envelope_of(refusal), status_code=refusal.http_status)
