"""As `ports`, for engines: how any model is reached over HTTP."""

from collections.abc import AsyncGenerator
from typing import Protocol

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats, ModelEndpoint

INTERNAL_TOKEN_HEADER = "x-neuroforge-internal"  # noqa: S105 - the header's name, not a secret
"""Header with which the gateway proves itself to a model's application."""


class EngineClient(Protocol):
    """The one way to reach any model, over HTTP. All raise the EngineError family; for a bad request, RequestError."""

    async def complete(self, endpoint: ModelEndpoint, request: EngineRequest) -> JsonObject:
        """The whole answer. On cancellation the connection is closed, which frees the engine's slot."""
        ...

    def stream(self, endpoint: ModelEndpoint, request: EngineRequest) -> AsyncGenerator[JsonObject, None]:
        """Decoded chunks, the last with usage. Errors before the first are as `complete`; later StreamInterrupted."""
        ...

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText) -> TokenCount:
        """Tokens after the chat template."""
        ...

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest) -> LabelLogprobs:
        """Raises UnsupportedParameter where the engine cannot do it."""
        ...

    async def stats(self, endpoint: ModelEndpoint) -> EngineStats:
        """Of one replica."""
        ...


class EngineDialect(Protocol):
    """How one kind of engine departs from OpenAI's wire: which paths and bodies count tokens and score labels."""

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText, post: "PostJson") -> TokenCount:
        """`post` reaches the endpoint with headers, timeout and errors already handled."""
        ...

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest, post: "PostJson") -> LabelLogprobs:
        """As EngineClient.label_logprobs."""
        ...

    async def stats(self, endpoint: ModelEndpoint, get_text: "GetText") -> EngineStats:
        """As EngineClient.stats."""
        ...


class PostJson(Protocol):
    """POST a JSON body to a path under the model's application (the base URL without `/v1`)."""

    async def __call__(self, path: str, body: JsonObject) -> JsonObject:
        """Raises the EngineError family."""
        ...


class GetText(Protocol):
    """GET a path under the model's application as text."""

    async def __call__(self, path: str) -> str:
        """Raises the EngineError family."""
        ...
