# ruff: noqa: D101 - the classes are the nouns of OpenAI's own reference
"""The request of POST /v1/responses as types, as in `wire`."""

from typing import Annotated, Any, Literal, Required

from pydantic import Discriminator, Field, Tag, TypeAdapter, with_config
from typing_extensions import TypedDict

from neuroforge.gateway.wire import (
    STRICT,
    JsonAny,
    JsonObjectFormat,
    Name,
    NeuroForgeOptions,
    StreamOptions,
    Temperature,
    TextFormat,
    Tokens,
    TopLogprobs,
    Unit,
)

Status = Literal["in_progress", "completed", "incomplete"]


@with_config(STRICT)
class InputText(TypedDict, total=False):
    type: Required[Literal["input_text"]]
    text: Required[str]
    prompt_cache_breakpoint: JsonAny | None


@with_config(STRICT)
class OutputText(TypedDict, total=False):
    """A part of an earlier answer, sent back."""

    type: Required[Literal["output_text"]]
    text: Required[str]
    annotations: list[JsonAny] | None
    logprobs: list[JsonAny] | None


@with_config(STRICT)
class RefusalText(TypedDict):
    type: Literal["refusal"]
    refusal: str


@with_config(STRICT)
class InputImage(TypedDict, total=False):
    type: Required[Literal["input_image"]]
    image_url: Required[str]
    detail: Literal["auto", "low", "high"] | None
    file_id: None


Part = Annotated[InputText | OutputText | RefusalText | InputImage, Field(discriminator="type")]


@with_config(STRICT)
class MessageItem(TypedDict, total=False):
    type: Literal["message"]
    role: Required[Literal["user", "assistant", "system", "developer"]]
    content: Required[str | Annotated[list[Part], Field(fail_fast=True)]]
    id: str | None
    status: Status | None
    phase: str | None


@with_config(STRICT)
class FunctionCallItem(TypedDict, total=False):
    type: Required[Literal["function_call"]]
    call_id: Required[str]
    name: Required[str]
    arguments: Required[str]
    id: str | None
    status: Status | None


@with_config(STRICT)
class FunctionOutputItem(TypedDict, total=False):
    type: Required[Literal["function_call_output"]]
    call_id: Required[str]
    output: Required[str | Annotated[list[InputText], Field(fail_fast=True)]]
    id: str | None
    status: Status | None


@with_config(STRICT)
class ReasoningItem(TypedDict, total=False):
    """A part of an earlier answer, sent back; chat templates have no place for it, so it is left out."""

    type: Required[Literal["reasoning"]]
    id: str | None
    summary: list[JsonAny] | None
    content: list[JsonAny] | None
    encrypted_content: str | None
    status: Status | None


def _kind_of(item: Any) -> Any:
    """The item's type; a message may leave it out."""
    return item.get("type", "message") if isinstance(item, dict) else None


Item = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionOutputItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")],
    Discriminator(
        _kind_of,
        custom_error_type="item_kind",
        custom_error_message="type must be one of message, function_call, function_call_output, reasoning",
    ),
]


@with_config(STRICT)
class FunctionTool(TypedDict, total=False):
    type: Required[Literal["function"]]
    name: Required[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:-]{1,128}$")]]
    description: str | None
    parameters: JsonAny | None
    strict: bool | None


@with_config(STRICT)
class NamedFunctionChoice(TypedDict):
    type: Literal["function"]
    name: str


@with_config(STRICT)
class FlatSchemaFormat(TypedDict, total=False):
    type: Required[Literal["json_schema"]]
    name: Required[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]]
    schema: Required[JsonAny]
    description: str | None
    strict: bool | None


@with_config(STRICT)
class TextOptions(TypedDict, total=False):
    format: Annotated[TextFormat | JsonObjectFormat | FlatSchemaFormat, Field(discriminator="type")] | None
    verbosity: Literal["low", "medium", "high"] | None


@with_config(STRICT)
class Reasoning(TypedDict, total=False):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    summary: Literal["auto", "concise", "detailed"] | None
    generate_summary: Literal["auto", "concise", "detailed"] | None


@with_config(STRICT)
class ResponseRequest(TypedDict, total=False):
    """POST /v1/responses."""

    model: Required[Name]
    input: Required[str | Annotated[list[Item], Field(min_length=1, fail_fast=True)]]
    instructions: str | None
    stream: bool | None
    stream_options: StreamOptions | None
    max_output_tokens: Tokens | None
    temperature: Temperature | None
    top_p: Unit | None
    top_logprobs: TopLogprobs | None
    include: list[str] | None
    tools: list[FunctionTool] | None
    tool_choice: Literal["none", "auto", "required"] | NamedFunctionChoice | None
    parallel_tool_calls: bool | None
    max_tool_calls: Tokens | None
    text: TextOptions | None
    reasoning: Reasoning | None
    metadata: JsonAny | None
    user: str | None
    safety_identifier: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    prompt_cache_options: JsonAny | None
    service_tier: str | None
    store: bool | None
    previous_response_id: str | None
    conversation: str | JsonAny | None
    background: bool | None
    prompt: JsonAny | None
    truncation: Literal["auto", "disabled"] | None
    context_management: list[JsonAny] | None
    moderation: JsonAny | None
    neuroforge: NeuroForgeOptions | None


RESPONSE: TypeAdapter[Any] = TypeAdapter(ResponseRequest)
