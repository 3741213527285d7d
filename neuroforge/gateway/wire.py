# ruff: noqa: D101 - the classes are the nouns of OpenAI's own reference
"""The requests of OpenAI's wire as types: pydantic checks bytes against them, and the OpenAPI document shows them.

Every field of the API stands here, also those that nobody can honour: `requirements` says what becomes of each. A field
that is not here is refused. `None` means "not given", as OpenAI's clients send it.
"""

from typing import Annotated, Any, Literal, Required

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from neuroforge.contracts.prompts import PROMPT_NAME

# Long lists stop at their first wrong element: a large body of nothing but mistakes must not cost a second.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
JsonAny = dict[str, Any]
Tokens = Annotated[int, Field(ge=1, le=2**31 - 1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
TopLogprobs = Annotated[int, Field(ge=0, le=20)]
StopText = Annotated[str, Field(min_length=1)]
Stop = StopText | Annotated[list[StopText], Field(max_length=16)]
LogitBias = dict[str, Annotated[float, Field(ge=-100, le=100)]]
Name = Annotated[str, Field(min_length=1, max_length=256)]
N = Annotated[int, Field(ge=1, le=128)]
Weight = Annotated[float, Field(ge=0, le=1e9)]


@with_config(STRICT)
class WeightFields(TypedDict, total=False):
    """What a unit is worth, in units of quality; what is left out is the policy's."""

    quality: Weight | None
    cost_per_usd: Weight | None
    latency_per_s: Weight | None
    target_latency_s: Weight | None


@with_config(STRICT)
class RouteFields(TypedDict, total=False):
    """Bounds and weights for the router; only where it picks the model."""

    max_latency_s: Annotated[float, Field(gt=0, le=86_400)] | None
    max_cost_usd: Annotated[float, Field(ge=0)] | None
    min_quality: Unit | None
    candidates: Annotated[list[Name], Field(min_length=1, max_length=256)] | None
    weights: WeightFields | None
    explore: bool | None
    session: Annotated[str, Field(min_length=1, max_length=200)] | None


@with_config(STRICT)
class NeuroForgeOptions(TypedDict, total=False):
    """Our own object in the body."""

    deadline_s: Annotated[float, Field(gt=0, le=86_400)] | None
    route: RouteFields | None


@with_config(STRICT)
class PromptFields(TypedDict, total=False):
    """A prompt that is kept here, with what its messages need; `name` may stand in `model` instead."""

    name: Annotated[str, Field(pattern=PROMPT_NAME)] | None
    alias: Annotated[str, Field(pattern=PROMPT_NAME)] | None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None
    variables: Annotated[dict[Name, str | bool | int | float], Field(max_length=256)] | None


@with_config(STRICT)
class ChatNeuroForge(NeuroForgeOptions, total=False):
    """Our own object in a chat request."""

    prompt: PromptFields | None


@with_config(STRICT)
class StreamOptions(TypedDict, total=False):
    include_usage: bool | None
    include_obfuscation: bool | None


@with_config(STRICT)
class TextPart(TypedDict, total=False):
    type: Required[Literal["text"]]
    text: Required[str]
    cache_control: JsonAny | None


@with_config(STRICT)
class RefusalPart(TypedDict, total=False):
    type: Required[Literal["refusal"]]
    refusal: Required[str]


@with_config(STRICT)
class ImageUrl(TypedDict, total=False):
    url: Required[str]
    detail: Literal["auto", "low", "high"] | None


@with_config(STRICT)
class ImagePart(TypedDict, total=False):
    type: Required[Literal["image_url"]]
    image_url: Required[ImageUrl]
    cache_control: JsonAny | None


@with_config(STRICT)
class Audio(TypedDict):
    data: str
    format: Literal["wav", "mp3"]


@with_config(STRICT)
class AudioPart(TypedDict):
    type: Literal["input_audio"]
    input_audio: Audio


UserPart = Annotated[TextPart | ImagePart | AudioPart, Field(discriminator="type")]
AssistantPart = Annotated[TextPart | RefusalPart, Field(discriminator="type")]


@with_config(STRICT)
class CalledFunction(TypedDict):
    name: str
    arguments: str


@with_config(STRICT)
class ToolCall(TypedDict, total=False):
    id: Required[str]
    type: Literal["function"]
    function: Required[CalledFunction]
    index: int | None


@with_config(STRICT)
class SystemMessage(TypedDict, total=False):
    role: Required[Literal["system", "developer"]]
    content: Required[str | Annotated[list[TextPart], Field(fail_fast=True)]]
    name: str | None


@with_config(STRICT)
class UserMessage(TypedDict, total=False):
    role: Required[Literal["user"]]
    content: Required[str | Annotated[list[UserPart], Field(min_length=1, fail_fast=True)]]
    name: str | None


@with_config(STRICT)
class AssistantMessage(TypedDict, total=False):
    """As clients send an answer back: fields of the answer that say nothing are allowed."""

    role: Required[Literal["assistant"]]
    content: str | Annotated[list[AssistantPart], Field(fail_fast=True)] | None
    name: str | None
    tool_calls: list[ToolCall] | None
    refusal: str | None
    annotations: list[JsonAny] | None
    reasoning_content: str | None
    reasoning: str | None
    audio: None
    function_call: None


@with_config(STRICT)
class ToolMessage(TypedDict, total=False):
    role: Required[Literal["tool"]]
    content: Required[str | Annotated[list[TextPart], Field(fail_fast=True)]]
    tool_call_id: Required[str]
    name: str | None


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage,
    Field(discriminator="role"),
]
Messages = Annotated[list[Message], Field(min_length=1, fail_fast=True)]
AnyMessages = Annotated[list[Message], Field(fail_fast=True)]


@with_config(STRICT)
class FunctionSpec(TypedDict, total=False):
    name: Required[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:-]{1,128}$")]]
    description: str | None
    parameters: JsonAny | None
    strict: bool | None


@with_config(STRICT)
class Tool(TypedDict, total=False):
    type: Required[Literal["function"]]
    function: Required[FunctionSpec]
    cache_control: JsonAny | None


@with_config(STRICT)
class NamedFunction(TypedDict):
    name: str


@with_config(STRICT)
class NamedToolChoice(TypedDict):
    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice


@with_config(STRICT)
class JsonSchemaSpec(TypedDict, total=False):
    name: Required[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]]
    description: str | None
    schema: JsonAny | None
    strict: bool | None


@with_config(STRICT)
class TextFormat(TypedDict):
    type: Literal["text"]


@with_config(STRICT)
class JsonObjectFormat(TypedDict):
    type: Literal["json_object"]


@with_config(STRICT)
class JsonSchemaFormat(TypedDict):
    type: Literal["json_schema"]
    json_schema: JsonSchemaSpec


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
