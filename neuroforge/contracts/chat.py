"""What the gateway asks of an engine, and what an engine answers, beside OpenAI's own JSON bodies.

The bodies of chat, completion and embedding stay OpenAI's wire (JsonObject): the gateway validates them once, and a
second vocabulary for the same thing would only lose fields.
"""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.models import Capability

CHARACTERS_PER_TOKEN = 4
"""Of English text; only for estimates."""
MEDIA_CHARACTERS = 2000
"""What a picture or a sound counts as in the estimate of the prompt's length."""
MOST_LABELS = 256
"""That one call scores."""
EngineRoute = Literal["chat/completions", "completions", "embeddings"]


class EngineRequest(Contract):
    """One validated request on its way to a model."""

    request_id: str
    route: EngineRoute
    body: JsonObject
    """OpenAI's body; `model` is replaced by the endpoint's served name, `stream` by how it is sent."""
    stream: bool = False
    requirements: frozenset[Capability] = frozenset()
    n_prompt_tokens_estimate: int = Field(default=0, ge=0)
    """From the text's length; only the engine knows the true count."""
    max_tokens: int | None = None
    deadline_s: float = Field(gt=0)
    """Seconds from now within which the whole answer must be there."""
    traceparent: str | None = None
    """W3C trace context to hand on."""
    labels: tuple[str, ...] = Field(default=(), max_length=MOST_LABELS)
    """Of a chat: the most probable of these is the answer; empty = the model writes one."""


class PromptText(Contract):
    """A prompt: raw text, or messages that the model's own chat template renders."""

    text: str | None = None
    messages: tuple[JsonObject, ...] | None = None
    tools: tuple[JsonObject, ...] | None = None

    def model_post_init(self, _context: object, /) -> None:
        """Exactly one of text and messages must be given."""
        if (self.text is None) == (self.messages is None):
            raise ValueError("give one of text and messages")


class TokenCount(Contract):
    """Tokens of a prompt as the model sees it (template and special tokens included)."""

    n_tokens: int = Field(ge=0)
    context_length: int | None = Field(default=None, ge=1)


class LabelRequest(Contract):
    """Ask for log P(label | prompt) of each label."""

    prompt: PromptText
    labels: tuple[str, ...] = Field(min_length=1, max_length=MOST_LABELS)
    deadline_s: float = Field(default=600.0, gt=0)
    """Seconds from now within which all scores must be there."""


class LabelScore(Contract):
    """log P(label tokens | prompt), summed over its tokens, before any sampling filter, in nats."""

    label: str
    logprob: float = Field(le=0)
    n_tokens: int = Field(ge=1)


class LabelLogprobs(Contract):
    """One score a label, in the order asked."""

    scores: tuple[LabelScore, ...]
    n_prompt_tokens: int = Field(ge=0)


class Usage(Contract):
    """Tokens of one answer."""

    n_prompt_tokens: int = Field(default=0, ge=0)
    n_completion_tokens: int = Field(default=0, ge=0)
    n_cached_tokens: int = Field(default=0, ge=0)
    """Prompt tokens that came from the prefix cache."""
