"""Which model answers: RoutingRequest -> Decision, on a snapshot of the fleet; Outcome says how it went."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.models import Capability, ModelEndpoint

Policy = Literal["explicit", "auto"]
"""explicit: the caller named the model; auto: the router picks."""

FilterReason = Literal["capability", "context_length", "not_allowed", "unhealthy", "not_loaded"]
DecisionReason = Literal["explicit", "only_candidate", "expected_latency", "router_unavailable", "fallback"]


class RoutingRequest(Contract):
    """What the router may look at."""

    request_id: str
    policy: Policy
    model_id: str | None = None
    """Only with policy explicit."""
    requirements: frozenset[Capability] = frozenset()
    n_prompt_tokens_estimate: int = Field(default=0, ge=0)
    max_tokens: int | None = None
    allowed_models: frozenset[str] | None = None
    """From the caller's key; None = all."""
    excluded_models: frozenset[str] = frozenset()
    """Already tried and failed for this request."""


class FleetSnapshot(Contract):
    """All models as the fleet controller sees them; at most a second old in a gateway replica."""

    version: int = Field(ge=0)
    models: tuple[ModelEndpoint, ...] = ()

    def find(self, model_id: str) -> ModelEndpoint | None:
        """The model of that id, or None."""
        return next((model for model in self.models if model.model_id == model_id), None)


class CandidateView(Contract):
    """One model as the router weighed it."""

    model_id: str
    filtered: FilterReason | None = None
    """Why it could not be chosen; None = it could."""
    expected_latency_s: float | None = Field(default=None, ge=0)
    n_in_flight: int = Field(default=0, ge=0)


class Decision(Contract):
    """The choice, and enough to explain it later."""

    decision_id: str
    request_id: str
    model_id: str
    policy: Policy
    reason: DecisionReason
    snapshot_version: int = Field(ge=0)
    candidates: tuple[CandidateView, ...] = ()


class Outcome(Contract):
    """How a decision went; what the next issue's learner reads."""

    decision_id: str
    request_id: str
    model_id: str
    policy: Policy
    status: int
    """HTTP status; 499 when the client went away."""
    error_code: str | None = None
    finish_reason: str | None = None
    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)
    ttft_s: float | None = Field(default=None, ge=0)
    latency_s: float = Field(ge=0)
    cost_usd: float = Field(default=0.0, ge=0)


class Completed(Contract):
    """A whole answer and who gave it."""

    decision: Decision
    body: JsonObject
    """OpenAI's body as the engine gave it; the gateway puts the public id and model name in."""


class Decided(Contract):
    """First event of a stream: headers can be written now."""

    decision: Decision


class Waiting(Contract):
    """The model is loading: keep the client's connection alive."""

    model_id: str
    waited_s: float = Field(ge=0)


class Chunk(Contract):
    """One decoded event of the engine's stream; the last has `usage`."""

    body: JsonObject


StreamEvent = Decided | Waiting | Chunk
