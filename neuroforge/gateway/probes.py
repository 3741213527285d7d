"""POST /v1/count_tokens and /v1/label_logprobs: ours, beside OpenAI's wire."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Required

from pydantic import Field, TypeAdapter, with_config
from starlette.types import Receive, Scope, Send
from typing_extensions import TypedDict

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN, LabelRequest, PromptText, Usage
from neuroforge.contracts.models import Capability
from neuroforge.contracts.routing import RoutingRequest
from neuroforge.errors import RequestError, UnsupportedParameter
from neuroforge.gateway.body import parse, read_body
from neuroforge.gateway.call import Call, call_of
from neuroforge.gateway.chat import take_messages
from neuroforge.gateway.desk import Desk
from neuroforge.gateway.errors import JSON_HEADERS, send_bytes
from neuroforge.gateway.parts import GatewayParts
from neuroforge.gateway.policy import is_policy
from neuroforge.gateway.requirements import Needs, check_json
from neuroforge.gateway.watch import Deadline
from neuroforge.gateway.wire import STRICT, Messages, Name, Tool
from neuroforge.hangup import Watch


@with_config(STRICT)
class CountRequest(TypedDict, total=False):
    """POST /v1/count_tokens: exactly one of prompt and messages."""

    model: Required[Name]
    prompt: str | None
    messages: Messages | None
    tools: list[Tool] | None


Label = Annotated[str, Field(min_length=1)]


@with_config(STRICT)
class LabelsRequest(TypedDict, total=False):
    """POST /v1/label_logprobs: log P(label | prompt) of each label."""

    model: Required[Name]
    prompt: str | None
    messages: Messages | None
    tools: list[Tool] | None
    labels: Required[Annotated[list[Label], Field(min_length=1, max_length=256, fail_fast=True)]]


COUNT: TypeAdapter[Any] = TypeAdapter(CountRequest)
LABELS: TypeAdapter[Any] = TypeAdapter(LabelsRequest)
Ask = Callable[[GatewayParts, RoutingRequest, PromptText, JsonObject, Call], Awaitable[Contract]]


class Probe:
    """One route that asks a named model about a prompt."""

    def __init__(
        self, capability: Capability, adapter: TypeAdapter[Any], ask: Ask, parts: GatewayParts, desk: Desk
    ) -> None:
        self._capability = capability
        self._adapter = adapter
        self._names = ("model", "prompt", "messages", "tools", "labels")
        self._ask = ask
        self._parts = parts
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        call = call_of(scope)
        call.route = self._capability
        caller = self._desk.admit_inference(call)
        request = parse(self._adapter, await read_body(call, receive), self._names)
        model: str = request["model"]
        if is_policy(model):
            raise UnsupportedParameter(
                "this route needs a model by its id: each counts in its own tokens", param="model"
            )
        caller.check_model(model)
        prompt, needs = _prompt_of(request)
        needs.add(self._capability, "model")
        routing = RoutingRequest(
            request_id=call.request_id,
            policy="explicit",
            model_id=model,
            requirements=needs.capabilities,
            n_prompt_tokens_estimate=len(prompt.text or "") // CHARACTERS_PER_TOKEN,
            allowed_models=caller.allowed_models,
        )
        options = self._parts.options
        async with Watch(receive), Deadline(options.request_timeout_s, options.deadline_slack_s):
            answer = await self._ask(self._parts, routing, prompt, request, call)
            call.model_id = model
            await send_bytes(send, 200, answer.model_dump_json().encode(), JSON_HEADERS)


async def count_tokens(
    parts: GatewayParts, routing: RoutingRequest, prompt: PromptText, _request: JsonObject, _call: Call
) -> Contract:
    """Tokens after the chat template."""
    return await parts.orchestrator.count_tokens(routing, prompt)


async def label_logprobs(
    parts: GatewayParts, routing: RoutingRequest, prompt: PromptText, request: JsonObject, call: Call
) -> Contract:
    """One score a label; the prompt's tokens count on the key's account."""
    asked = LabelRequest(prompt=prompt, labels=tuple(request["labels"]), deadline_s=parts.options.request_timeout_s)
    answer = await parts.orchestrator.label_logprobs(routing, asked)
    call.usage = Usage(n_prompt_tokens=answer.n_prompt_tokens)
    return answer


def _prompt_of(request: JsonObject) -> tuple[PromptText, Needs]:
    needs = Needs()
    messages, text = request.get("messages"), request.get("prompt")
    if (messages is None) == (text is None):
        raise RequestError("give one of prompt and messages", param="prompt")
    if messages is None:
        return PromptText(text=text), needs
    take_messages(messages, needs)
    tools: list[JsonObject] | None = request.get("tools")
    if tools:
        check_json(tools, "tools")
        needs.add("tools", "tools")
    shown = tuple({"type": "function", "function": one["function"]} for one in tools) if tools else None
    return PromptText(messages=tuple(needs.body["messages"]), tools=shown), needs
