"""What the llama.cpp engine can do; known without loading llama.cpp, for those who plan with it."""

from typing import Final

from neuroforge.contracts.models import Capability, ModelSpec

SUPPORTED_CAPABILITIES: Final[frozenset[Capability]] = frozenset(
    {
        "chat",
        "completion",
        "count_tokens",
        "label_logprobs",
        "tools",
        "json_object",
        "json_schema",
        "logprobs",
        "top_logprobs",
        "seed",
        "stop",
        "n",
        "logit_bias",
        "penalties",
    }
)
"""With any chat model whose template has, or can be given, a place for tools. llama.cpp ignores echo, suffix, best_of
and reasoning_effort; it would need a projector file for vision and audio."""


def offered_capabilities(spec: ModelSpec) -> frozenset[Capability]:
    """Return what a model of this spec should be able to do; once loaded it tells by itself (no `tools`, perhaps)."""
    return with_embeddings(SUPPORTED_CAPABILITIES) if wants_embeddings(spec) else SUPPORTED_CAPABILITIES


def with_embeddings(capabilities: frozenset[Capability]) -> frozenset[Capability]:
    """Return the capabilities and `embedding`."""
    return capabilities | {"embedding"}


def wants_embeddings(spec: ModelSpec) -> bool:
    """Whether the spec asks for /v1/embeddings, by `engine_options.embedding` or in its list of capabilities."""
    return bool(spec.engine_options.get("embedding", False)) or "embedding" in (spec.capabilities or ())
