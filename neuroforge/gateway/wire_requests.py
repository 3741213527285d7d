"""The bodies of chat, completion and embedding requests as types; see `wire`."""

from typing import Annotated, Any, Literal, Required

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from neuroforge.gateway.wire import (
    STRICT,
    AnyMessages,
    ChatNeuroForge,
    JsonAny,
    LogitBias,
    N,
    Name,
    NeuroForgeOptions,
    Penalty,
    ResponseFormat,
    Seed,
    Stop,
    StreamOptions,
    Temperature,
    Tokens,
    Tool,
    ToolChoice,
    TopLogprobs,
    Unit,
)


@with_config(STRICT)
class ChatOptions(TypedDict, total=False):
    """How a chat request's answer shall be made; the other fields say of what, by whom and in which form."""

    max_tokens: Tokens | None
    max_completion_tokens: Tokens | None
    temperature: Temperature | None
    top_p: Unit | None
    frequency_penalty: Penalty | None
    presence_penalty: Penalty | None
    logit_bias: LogitBias | None
    logprobs: bool | None
    top_logprobs: TopLogprobs | None
    seed: Seed | None
    stop: Stop | None
    tools: Annotated[list[Tool], Field(fail_fast=True)] | None
    tool_choice: ToolChoice | None
    parallel_tool_calls: bool | None
    response_format: ResponseFormat | None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    user: str | None
    metadata: JsonAny | None
    store: bool | None
    service_tier: str | None
    safety_identifier: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    prompt_cache_options: JsonAny | None
    prediction: JsonAny | None
    verbosity: Literal["low", "medium", "high"] | None
    modalities: list[Literal["text", "audio"]] | None
    audio: JsonAny | None
    web_search_options: JsonAny | None
    moderation: JsonAny | None
    functions: list[JsonAny] | None
    function_call: str | JsonAny | None


@with_config(STRICT)
class ChatRequest(ChatOptions, total=False):
    """POST /v1/chat/completions."""

    model: Required[Name]
    messages: AnyMessages | None
    """Needed but where a prompt is named."""
    stream: bool | None
    stream_options: StreamOptions | None
    n: N | None
    neuroforge: ChatNeuroForge | None


TokenId = Annotated[int, Field(ge=0, le=2**31 - 1)]
Texts = (
    str
    | Annotated[list[str], Field(min_length=1, max_length=2048, fail_fast=True)]
    | Annotated[list[TokenId], Field(min_length=1, fail_fast=True)]
    | Annotated[
        list[Annotated[list[TokenId], Field(min_length=1, fail_fast=True)]],
        Field(min_length=1, max_length=2048, fail_fast=True),
    ]
)


@with_config(STRICT)
class CompletionRequest(TypedDict, total=False):
    """POST /v1/completions."""

    model: Required[Name]
    prompt: Required[Texts]
    stream: bool | None
    stream_options: StreamOptions | None
    max_tokens: Annotated[int, Field(ge=0, le=2**31 - 1)] | None
    temperature: Temperature | None
    top_p: Unit | None
    frequency_penalty: Penalty | None
    presence_penalty: Penalty | None
    logit_bias: LogitBias | None
    logprobs: TopLogprobs | None
    n: N | None
    best_of: N | None
    echo: bool | None
    suffix: str | None
    seed: Seed | None
    stop: Stop | None
    user: str | None
    neuroforge: NeuroForgeOptions | None


@with_config(STRICT)
class EmbeddingRequest(TypedDict, total=False):
    """POST /v1/embeddings."""

    model: Required[Name]
    input: Required[Texts]
    encoding_format: Literal["float", "base64"] | None
    dimensions: Tokens | None
    user: str | None
    neuroforge: NeuroForgeOptions | None


CHAT: TypeAdapter[Any] = TypeAdapter(ChatRequest)
COMPLETION: TypeAdapter[Any] = TypeAdapter(CompletionRequest)
EMBEDDING: TypeAdapter[Any] = TypeAdapter(EmbeddingRequest)
