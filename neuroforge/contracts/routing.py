"""Which model answers: RoutingRequest -> Decision, on a snapshot of the fleet; Outcome says how it went."""

from typing import Any, Literal

from pydantic import Field

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import Usage
from neuroforge.contracts.live_tests import LiveTestTag
from neuroforge.contracts.models import Capability, ModelEndpoint
from neuroforge.contracts.tasks import TaskProfile

Policy = Literal["explicit", "auto", "auto:best", "auto:fast", "auto:cheap"]
"""explicit: the caller named the model; else the router picks: balanced, or for quality, speed or cost above all."""

AS_NAMED: JsonObject = {"route": {"explore": False}}
"""Field `neuroforge` of a request that live tests leave alone: what it is to measure is of the model that it names."""

FilterReason = Literal[
    "capability",
    "context_length",
    "not_allowed",
    "unhealthy",
    "not_loaded",
    "not_a_candidate",
    "excluded_by_rule",
    "circuit_open",
    "max_latency",
    "max_cost",
    "min_quality",
]
DecisionReason = Literal[
    "explicit",
    "only_candidate",
    "expected_latency",
    "router_unavailable",
    "fallback",
    "utility",
    "explored",
    "pinned",
    "holdout",
    "live_test",
]
Exploration = Literal["on", "off", "off_by_request", "off_by_rule"]


class UtilityWeights(Contract):
    """What a unit is worth, in units of quality (0..1); None = the policy's."""

    quality: float | None = Field(default=None, ge=0)
    cost_per_usd: float | None = Field(default=None, ge=0)
    latency_per_s: float | None = Field(default=None, ge=0)
    """Of each second beyond `target_latency_s`."""
    target_latency_s: float | None = Field(default=None, ge=0)


class RouteOptions(Contract):
    """`neuroforge.route` of a request: explicit weights and bounds."""

    weights: UtilityWeights = UtilityWeights()
    max_latency_s: float | None = Field(default=None, gt=0)
    max_cost_usd: float | None = Field(default=None, ge=0)
    min_quality: float | None = Field(default=None, ge=0, le=1)
    candidates: tuple[str, ...] | None = Field(default=None, min_length=1)
    explore: bool = True
    """False = always the best by prediction; logged as such."""
    session: str | None = Field(default=None, max_length=200)
    """Turns of one session stay with one model while its warm prefix is worth it; None = told by the conversation."""


class PromptTag(Contract):
    """Whose messages a request has: a release of a prompt. Never its text."""

    name: str
    version: int = Field(ge=1)
    is_shadow: bool = False
    """Asked beside the version that answered; nobody saw it."""


class PromptShadow(Contract):
    """The same request, put by another version of the prompt: asked once the answer is out."""

    tag: PromptTag
    body: Any = Field(repr=False)
    """OpenAI's."""
    models: tuple[str, ...] = ()
    """Who would answer it; empty = whoever answers."""
    labels: tuple[str, ...] = ()
    """As EngineRequest's."""


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
    open_circuits: frozenset[str] = frozenset()
    """Models that failed too often of late: a policy leaves them out."""
    route: RouteOptions = RouteOptions()
    body: Any = Field(default=None, repr=False)
    """OpenAI's body, whose text the features are read from; None = nothing but the numbers above is known."""
    actor: str = "local"
    """Key id of the caller, who alone (beside operators) may read the decision later."""
    can_be_tested: bool = False
    """Whether live tests may take it: a caller's own request, not a member of a task nor a probe."""
    live_test: LiveTestTag | None = None
    """Only of a shadow's request: the arm that it is asked for."""
    prompt: PromptTag | None = None
    """The request named a prompt; None = it brought its own messages."""
    shadow: PromptShadow | None = None


class FleetSnapshot(Contract):
    """All models as the fleet controller sees them; at most a second old in a gateway replica."""

    version: int = Field(ge=0)
    models: tuple[ModelEndpoint, ...] = ()

    def find(self, model_id: str) -> ModelEndpoint | None:
        """The model of that id, or None."""
        return next((model for model in self.models if model.model_id == model_id), None)


class Prediction(Contract):
    """What the router expects if `model_id` answers."""

    model_id: str
    quality: float = Field(ge=0, le=1)
    quality_low: float = Field(ge=0, le=1)
    quality_high: float = Field(ge=0, le=1)
    """90 % interval of the score, as calibrated on outcomes."""
    quality_std: float = Field(ge=0)
    """What is not known of the expected quality itself; shrinks with outcomes."""
    n_outcomes: float = Field(default=0.0, ge=0)
    """Scored outcomes behind it, discounted."""
    n_output_tokens: float = Field(ge=0)
    ttft_s: float = Field(ge=0)
    s_per_token: float = Field(ge=0)
    latency_s: float = Field(ge=0)
    """Of the whole answer, the live queue included."""
    cost_usd: float = Field(ge=0)


class UtilityTerms(Contract):
    """utility = quality - cost - latency - prefix, each in units of quality."""

    quality: float
    cost: float = Field(ge=0)
    latency: float = Field(ge=0)
    prefix: float = Field(ge=0)
    """Cost of leaving the model whose prefix cache is warm."""
    total: float


class CandidateView(Contract):
    """One model as the router weighed it."""

    model_id: str
    filtered: FilterReason | None = None
    """Why it could not be chosen; None = it could."""
    expected_latency_s: float | None = Field(default=None, ge=0)
    n_in_flight: int = Field(default=0, ge=0)
    prediction: Prediction | None = None
    utility: UtilityTerms | None = None
    propensity: float | None = Field(default=None, ge=0, le=1)
    """Probability that this decision would choose it; None where nothing was drawn."""


class Decision(Contract):
    """The choice, and enough to explain it later."""

    decision_id: str
    request_id: str
    model_id: str
    policy: Policy
    reason: DecisionReason
    snapshot_version: int = Field(ge=0)
    candidates: tuple[CandidateView, ...] = ()
    profile: TaskProfile | None = None
    propensity: float | None = Field(default=None, gt=0, le=1)
    """Of the chosen model; None where nothing was drawn."""
    exploration: Exploration = "off"
    router_version: int = Field(default=0, ge=0)
    """Learner's snapshot that the predictions came from; 0 = none."""
    rules_version: int = Field(default=0, ge=0)
    seed: int | None = None
    """With request id and router_version it gives the draw again."""
    holdout_model: str | None = None
    """Where the holdout's share of such requests goes; None = the holdout could not take this one."""
    live_test: LiveTestTag | None = None
    """The arm of a live test that answers; None = none does."""
    prompt: PromptTag | None = None
    """As RoutingRequest.prompt."""
    shadows: tuple[LiveTestTag, ...] = Field(default=(), exclude=True)
    """Arms to be asked beside it, whose answers go to nobody."""


class Outcome(Contract):
    """How a decision went."""

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
    is_schema_valid: bool | None = None
    """Whether the answer parses as the JSON that was asked for; None = none was asked for, or it was streamed."""
    answer: str | None = Field(default=None, repr=False)
    """The answer's text, only where the operator lets texts be recorded."""


class Spent(Contract):
    """What an attempt cost that was not the answer: a hedge that lost, a call given up as too slow. Estimated."""

    model_id: str
    usage: Usage
    cost_usd: float = Field(default=0.0, ge=0)


class Completed(Contract):
    """A whole answer and who gave it."""

    decision: Decision
    body: JsonObject
    """OpenAI's body as the engine gave it; the gateway puts the public id and model name in."""
    spent: tuple[Spent, ...] = ()
    """Beside the answer's own usage; on the caller's account as well."""


class Decided(Contract):
    """First event of a stream: headers can be written now."""

    decision: Decision
    spent: tuple[Spent, ...] = ()
    """As Completed.spent; of all attempts so far."""


class Waiting(Contract):
    """The model is loading: keep the client's connection alive."""

    model_id: str
    waited_s: float = Field(ge=0)


class Chunk(Contract):
    """One decoded event of the engine's stream; the last has `usage`."""

    body: JsonObject


StreamEvent = Decided | Waiting | Chunk
