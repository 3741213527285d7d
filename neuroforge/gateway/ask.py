"""A checked request of any route, ready to be routed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN, EngineRequest, EngineRoute
from neuroforge.contracts.models import Capability
from neuroforge.contracts.routing import Policy, PromptShadow, PromptTag, RouteOptions, RoutingRequest
from neuroforge.errors import RequestError
from neuroforge.gateway.auth import Caller
from neuroforge.gateway.call import Call
from neuroforge.gateway.policy import UNBOUNDED, policy_of, route_options
from neuroforge.gateway.requirements import Needs


@dataclass(frozen=True, slots=True)
class Ask:
    """What the caller wants, in the engine's words."""

    model: str
    route: EngineRoute
    body: JsonObject
    field_by_capability: dict[Capability, str]
    n_characters: int
    policy: Policy = "explicit"
    options: RouteOptions = UNBOUNDED
    stream: bool = False
    include_usage: bool = False
    deadline_s: float | None = None
    n_prompts: int = 1
    """Over how many of them the characters spread."""
    prompt: PromptTag | None = None
    """Whose messages these are; None = the caller's own."""
    shadow: PromptShadow | None = None
    verbalizer: Mapping[str, str] = field(default_factory=dict)
    """Of the prompt: label -> the word that stands for it in answers."""
    labels: tuple[str, ...] = ()
    """As EngineRequest's."""

    @property
    def is_auto(self) -> bool:
        """Whether the router picks the model."""
        return self.policy != "explicit"

    def routing(self, call: Call, caller: Caller) -> RoutingRequest:
        """What the router may look at."""
        return RoutingRequest(
            request_id=call.request_id,
            policy=self.policy,
            model_id=None if self.is_auto else self.model,
            requirements=frozenset(self.field_by_capability),
            n_prompt_tokens_estimate=self._n_tokens(),
            max_tokens=self.body.get("max_tokens"),
            allowed_models=caller.allowed_models,
            route=self.options,
            body=self.body,
            actor=caller.actor,
            # An arm's system message would make another prompt of it.
            can_be_tested=self.prompt is None,
            prompt=self.prompt,
            shadow=self.shadow,
        )

    def engine_request(self, call: Call, timeout_s: float) -> EngineRequest:
        """What the engine gets."""
        return EngineRequest(
            request_id=call.request_id,
            route=self.route,
            body=self.body,
            stream=self.stream,
            requirements=frozenset(self.field_by_capability),
            n_prompt_tokens_estimate=self._n_tokens(),
            max_tokens=self.body.get("max_tokens"),
            deadline_s=self.deadline_s or timeout_s,
            traceparent=call.traceparent,
            labels=self.labels,
        )

    def _n_tokens(self) -> int:
        return self.n_characters // (CHARACTERS_PER_TOKEN * self.n_prompts)


def ask_from(request: JsonObject, route: EngineRoute, needs: Needs, n_characters: int, n_prompts: int = 1) -> Ask:
    """Put together what all routes have in common.

    Raises:
        RequestError: stream_options without stream; route options that do not fit.
        ModelNotFound: An unknown policy.
    """
    stream = bool(request.get("stream"))
    options: dict[str, Any] = request.get("stream_options") or {}
    if options.get("include_usage") and not stream:
        raise RequestError("stream_options needs stream: true", param="stream_options")
    if stream:
        needs.body["stream_options"] = {"include_usage": True}
    policy = policy_of(request["model"])
    return Ask(
        model=request["model"],
        route=route,
        body=needs.body,
        field_by_capability=needs.field_by_capability,
        n_characters=n_characters,
        policy=policy,
        options=route_options(request, policy, route),
        stream=stream,
        include_usage=bool(options.get("include_usage")),
        deadline_s=(request.get("neuroforge") or {}).get("deadline_s"),
        n_prompts=max(1, n_prompts),
    )
