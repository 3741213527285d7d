"""The OpenAPI document: FastAPI's own for the admin routes, and by hand for the hot ones, which it does not see."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, TokenCount
from neuroforge.contracts.experiment_desk import CompareRequest, LabelSheet, RerunRequest
from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.contracts.fleet import ApplyRequest
from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.models import ModelSpec, ReplicaRange
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.contracts.outcomes import ExportRequest, Feedback, FitUpload
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.rules import InsightRequest, RoutingRules
from neuroforge.contracts.runs import ItemsPart
from neuroforge.contracts.tasks import TaskResult
from neuroforge.gateway.probes import COUNT, LABELS
from neuroforge.gateway.responses_wire import RESPONSE
from neuroforge.gateway.wire_requests import CHAT, COMPLETION, EMBEDDING
from neuroforge.gateway.wire_tasks import TASK

_REF = "#/components/schemas/{model}"
_ADAPTERS: dict[str, tuple[TypeAdapter[Any], str]] = {
    "/v1/chat/completions": (CHAT, "Answer a conversation."),
    "/v1/completions": (COMPLETION, "Continue a text."),
    "/v1/embeddings": (EMBEDDING, "Turn texts into vectors."),
    "/v1/responses": (RESPONSE, "Answer a conversation, in the form of OpenAI's Responses API."),
    "/v1/count_tokens": (COUNT, "Count a prompt's tokens as the model sees it."),
    "/v1/label_logprobs": (LABELS, "log P(label | prompt) of each label."),
    "/v1/route": (CHAT, "Decide which model would answer a conversation, without asking it."),
    "/v1/tasks": (TASK, "Let one or several models work on a task: in parallel, by vote, by choice or by cascade."),
}
_STREAMING = ("/v1/chat/completions", "/v1/completions", "/v1/responses")
_ANSWERS: dict[str, type[BaseModel]] = {
    "/v1/count_tokens": TokenCount,
    "/v1/label_logprobs": LabelLogprobs,
    "/v1/route": Decision,
    "/v1/tasks": TaskResult,
}
_BODIES = (
    ModelSpec,
    ReplicaRange,
    ApplyRequest,
    KeySpec,
    Feedback,
    ExportRequest,
    FitUpload,
    RoutingRules,
    InsightRequest,
    PromptPromotion,
    ExperimentConfig,
    RerunRequest,
    ItemsPart,
    LabelSheet,
    CompareRequest,
    OptimizeConfig,
)
_ERRORS = {
    400: "The request is wrong; `param` names the field.",
    401: "No API key, or none that is known.",
    403: "The key may not do this, or the caller is not on this machine.",
    404: "No such model, key or route.",
    405: "The route does not take this method.",
    409: "The thing is in a state that forbids this.",
    413: "The body is too large.",
    429: "A limit of the key, or a full queue; see Retry-After.",
    500: "The server failed; the message has the request id.",
    502: "The model's server failed.",
    503: "The model is not loaded, or the gateway is starting; see Retry-After.",
    504: "The deadline passed.",
    507: "Not enough memory or disk.",
}
_ENVELOPE: JsonObject = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


def install_openapi(app: FastAPI) -> None:
    """Make `/openapi.json` tell of every route. Built once, at the first request for it."""

    def document() -> JsonObject:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> JsonObject:
    found: JsonObject = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Error"] = _ENVELOPE
    kinds: list[type[BaseModel]] = [*_BODIES, *_ANSWERS.values()]
    for kind in kinds:
        _add(schemas, kind.__name__, kind.model_json_schema(ref_template=_REF))
    for path, (adapter, summary) in _ADAPTERS.items():
        found["paths"][path] = {"post": _operation(path, adapter, summary, schemas)}
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in found["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status, meaning in _ERRORS.items():
                operation["responses"].setdefault(str(status), _failure(meaning))
            if path not in ("/healthz", "/readyz"):
                operation["security"] = [{"key": []}, {}]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return found


def _operation(path: str, adapter: TypeAdapter[Any], summary: str, schemas: JsonObject) -> JsonObject:
    schema = adapter.json_schema(ref_template=_REF)
    name = schema["title"]
    _add(schemas, name, schema)
    answer = {"type": "object"}
    if path in _ANSWERS:
        answer = {"$ref": _REF.format(model=_ANSWERS[path].__name__)}
    content: JsonObject = {"application/json": {"schema": answer}}
    if path in _STREAMING:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    body = {"application/json": {"schema": {"$ref": _REF.format(model=name)}}}
    return {
        "tags": ["inference"],
        "summary": summary,
        "operationId": path.removeprefix("/v1/").replace("/", "_"),
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": "The answer.", "content": content}},
    }


def _add(schemas: JsonObject, name: str, schema: JsonObject) -> None:
    schemas.update(schema.pop("$defs", {}))
    schemas[name] = schema


def _failure(meaning: str) -> JsonObject:
    return {"description": meaning, "content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}}
