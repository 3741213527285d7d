"""What to send and how to read it: one pure function an operation, shared by the sync and the async client."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter, ValidationError

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import LabelLogprobs, PromptText, TokenCount
from neuroforge.contracts.fleet import ApplyRequest, FleetDiff
from neuroforge.contracts.gateway import GatewayStatus
from neuroforge.contracts.keys import AuditRecord, AuditVerdict, CreatedKey, KeySpec, KeyView
from neuroforge.contracts.models import ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.routing import Decision
from neuroforge.errors import AuthenticationError, EngineError, NeuroForgeError, PermissionDenied

T = TypeVar("T")
Vectors = tuple[tuple[float, ...], ...]
READY_POLL_S = 0.5
PROBE_TIMEOUT_S = 10.0
"""A server that starts may accept a connection and say nothing."""
Messages = str | Sequence[Mapping[str, Any]]
"""One user message as text, or OpenAI's list of messages."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One HTTP request and the way to read its answer."""

    method: str
    path: str
    read: Callable[[bytes], T]
    body: JsonObject | None = None

    @property
    def payload(self) -> bytes | None:
        """The body's bytes, or None without one."""
        return None if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()


def streamed(call: Call[T]) -> Call[T]:
    """The same call, answered event by event."""
    return replace(call, body={**(call.body or {}), "stream": True})


def is_worth_waiting(error: NeuroForgeError) -> bool:
    """Whether a server that answers this while starting may still become ready: all but a refused key."""
    return not isinstance(error, AuthenticationError | PermissionDenied)


def chat(messages: Messages, model: str, options: Mapping[str, Any]) -> Call[JsonObject]:
    """POST /v1/chat/completions."""
    body = {"model": model, "messages": as_messages(messages), **options}
    return Call("POST", "/v1/chat/completions", _object, body)


def completion(prompt: str, model: str, options: Mapping[str, Any]) -> Call[JsonObject]:
    """POST /v1/completions."""
    return Call("POST", "/v1/completions", _object, {"model": model, "prompt": prompt, **options})


def embeddings(texts: str | Sequence[str], model: str, options: Mapping[str, Any]) -> Call[Vectors]:
    """POST /v1/embeddings; read as one vector a text, in order."""
    given = texts if isinstance(texts, str) else list(texts)
    body = {"model": model, "input": given, **options, "encoding_format": "float"}
    return Call("POST", "/v1/embeddings", _vectors, body)


def responses(request: Any, model: str, options: Mapping[str, Any]) -> Call[JsonObject]:
    """POST /v1/responses; `request` is OpenAI's `input`."""
    return Call("POST", "/v1/responses", _object, {"model": model, "input": request, **options})


def count_tokens(prompt: Messages, model: str) -> Call[TokenCount]:
    """POST /v1/count_tokens."""
    return Call("POST", "/v1/count_tokens", as_contract(TokenCount), {"model": model, **_prompt_fields(prompt)})


def label_logprobs(prompt: Messages, labels: Sequence[str], model: str) -> Call[LabelLogprobs]:
    """POST /v1/label_logprobs."""
    body = {"model": model, **_prompt_fields(prompt), "labels": list(labels)}
    return Call("POST", "/v1/label_logprobs", as_contract(LabelLogprobs), body)


def route(messages: Messages, model: str, options: Mapping[str, Any]) -> Call[Decision]:
    """POST /v1/route."""
    body = {"model": model, "messages": as_messages(messages), **options}
    return Call("POST", "/v1/route", as_contract(Decision), body)


def model_ids() -> Call[tuple[str, ...]]:
    """GET /v1/models; read as ids."""
    return Call("GET", "/v1/models", lambda body: tuple(str(one["id"]) for one in _data(body)))


def ready() -> Call[JsonObject]:
    """GET /readyz."""
    return Call("GET", "/readyz", _object)


def status() -> Call[GatewayStatus]:
    """GET /admin/v1/status."""
    return Call("GET", "/admin/v1/status", as_contract(GatewayStatus))


def models() -> Call[tuple[ModelStatus, ...]]:
    """GET /admin/v1/models."""
    return Call("GET", "/admin/v1/models", as_contracts(ModelStatus))


def load(model_id: str, spec: ModelSpec | None) -> Call[ModelStatus]:
    """POST /admin/v1/models/{id}/load."""
    body = None if spec is None else spec.model_dump(mode="json")
    return Call("POST", f"/admin/v1/models/{quoted(model_id)}/load", as_contract(ModelStatus), body)


def unload(model_id: str) -> Call[ModelStatus]:
    """POST /admin/v1/models/{id}/unload."""
    return Call("POST", f"/admin/v1/models/{quoted(model_id)}/unload", as_contract(ModelStatus))


def scale(model_id: str, replicas: ReplicaRange) -> Call[ModelStatus]:
    """POST /admin/v1/models/{id}/scale."""
    path = f"/admin/v1/models/{quoted(model_id)}/scale"
    return Call("POST", path, as_contract(ModelStatus), replicas.model_dump(mode="json"))


def apply(request: ApplyRequest) -> Call[FleetDiff]:
    """POST /admin/v1/apply."""
    return Call("POST", "/admin/v1/apply", as_contract(FleetDiff), request.model_dump(mode="json"))


def create_key(spec: KeySpec) -> Call[CreatedKey]:
    """POST /admin/v1/keys."""
    return Call("POST", "/admin/v1/keys", as_contract(CreatedKey), spec.model_dump(mode="json"))


def list_keys() -> Call[tuple[KeyView, ...]]:
    """GET /admin/v1/keys."""
    return Call("GET", "/admin/v1/keys", as_contracts(KeyView))


def revoke_key(key_id: str) -> Call[KeyView]:
    """DELETE /admin/v1/keys/{id}."""
    return Call("DELETE", f"/admin/v1/keys/{quoted(key_id)}", as_contract(KeyView))


def tail_audit(limit: int, after_seq: int) -> Call[tuple[AuditRecord, ...]]:
    """GET /admin/v1/audit."""
    query = urlencode({"limit": limit, "after_seq": after_seq})
    return Call("GET", f"/admin/v1/audit?{query}", as_contracts(AuditRecord))


def verify_audit() -> Call[AuditVerdict]:
    """GET /admin/v1/audit/verify."""
    return Call("GET", "/admin/v1/audit/verify", as_contract(AuditVerdict))


def as_messages(messages: Messages) -> list[JsonObject]:
    """Return OpenAI's list of messages; a text is one user message."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [dict(one) for one in messages]


def _prompt_fields(prompt: Messages) -> JsonObject:
    if isinstance(prompt, str):
        return {"prompt": prompt}
    checked = PromptText(messages=tuple(dict(one) for one in prompt))
    return {"messages": [dict(one) for one in checked.messages or ()]}


def quoted(text: str) -> str:
    """Return the text as one part of a path."""
    return quote(text, safe="")


def _object(body: bytes) -> JsonObject:
    try:
        decoded = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EngineError("the server's answer is not JSON: is this address a NeuroForge server?") from error
    if not isinstance(decoded, dict):
        raise EngineError("the server's answer is not a JSON object")
    return decoded


def _data(body: bytes) -> list[JsonObject]:
    found = _object(body).get("data")
    if not isinstance(found, list):
        raise EngineError("the server's answer has no list `data`")
    return found


def _vectors(body: bytes) -> Vectors:
    ordered = sorted(_data(body), key=lambda one: int(one.get("index", 0)))
    return tuple(tuple(float(value) for value in one["embedding"]) for one in ordered)


C = TypeVar("C", bound=Contract)


def as_contract(kind: type[C]) -> Callable[[bytes], C]:
    """Return what reads a body of this kind; EngineError where it is none."""

    def read(body: bytes) -> C:
        try:
            return kind.model_validate(_object(body))
        except ValidationError as error:
            raise _unlike(kind, error) from error

    return read


def as_contracts(kind: type[C]) -> Callable[[bytes], tuple[C, ...]]:
    """Read a body whose `data` is a list of such messages."""

    def read(body: bytes) -> tuple[C, ...]:
        try:
            return TypeAdapter(tuple[kind, ...]).validate_python(_data(body))  # type: ignore[valid-type]
        except ValidationError as error:
            raise _unlike(kind, error) from error

    return read


def _unlike(kind: type[Contract], error: ValidationError) -> EngineError:
    fields = ", ".join(sorted({".".join(str(part) for part in one["loc"]) for one in error.errors()}))
    return EngineError(f"the server's answer is not a {kind.__name__} of this version (fields: {fields})")
