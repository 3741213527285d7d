"""What becomes of each field: passed on, dropped as advice, a capability the model must have, or refused.

One table a route. Neutral values (what an engine does anyway) are dropped, so that no engine sees a field for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import Capability
from neuroforge.errors import RequestError, UnsupportedParameter


@dataclass(frozen=True, slots=True)
class Pass:
    """Every model can do this."""

    neutral: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A model needs `capability` for any other value than these."""

    capability: Capability
    neutral: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """Changes nothing in the answer: dropped."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody here can honour another value than these."""

    neutral: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Special:
    """Handled by the route's own code."""


Rule = Pass | Need | Advice | Refuse | Special
SAMPLING: Final[Mapping[str, Rule]] = {
    "model": Special(),
    "stream": Special(),
    "stream_options": Special(),
    "neuroforge": Special(),
    "max_tokens": Pass(),
    "temperature": Pass(),
    "top_p": Pass(),
    "frequency_penalty": Need("penalties", (0,)),
    "presence_penalty": Need("penalties", (0,)),
    "logit_bias": Need("logit_bias", ({},)),
    "n": Need("n", (1,)),
    "seed": Need("seed"),
    "stop": Need("stop", ([],)),
    "user": Advice(),
}
CHAT_RULES: Final[Mapping[str, Rule]] = {
    **SAMPLING,
    "messages": Special(),
    "max_completion_tokens": Special(),
    "logprobs": Need("logprobs", (False,)),
    "top_logprobs": Special(),
    "tools": Need("tools", ([],)),
    "tool_choice": Special(),
    "parallel_tool_calls": Special(),
    "response_format": Special(),
    "reasoning_effort": Need("reasoning_effort", ("none",)),
    "metadata": Advice(),
    "store": Refuse((False,)),
    "service_tier": Advice(),
    "safety_identifier": Advice(),
    "prompt_cache_key": Advice(),
    "prompt_cache_retention": Advice(),
    "prompt_cache_options": Advice(),
    "prediction": Advice(),  # a hint for speed; the answer is the same without it
    "verbosity": Refuse(("medium",)),
    "modalities": Refuse((["text"], [])),
    "audio": Refuse(),
    "web_search_options": Refuse(),
    "moderation": Refuse(),
    "functions": Refuse(([],)),
    "function_call": Refuse(("none", "auto")),
}
COMPLETION_RULES: Final[Mapping[str, Rule]] = {
    **SAMPLING,
    "prompt": Pass(),
    "logprobs": Need("logprobs"),
    "best_of": Need("best_of", (1,)),
    "echo": Need("echo", (False,)),
    "suffix": Need("suffix", ("",)),
}
EMBEDDING_RULES: Final[Mapping[str, Rule]] = {
    "model": Special(),
    "neuroforge": Special(),
    "input": Pass(),
    "encoding_format": Special(),  # the gateway encodes; engines are asked for numbers
    "dimensions": Refuse(),
    "user": Advice(),
}


@dataclass(slots=True)
class Needs:
    """What a request asks of a model, and which field asked."""

    body: JsonObject = field(default_factory=dict)
    """The fields that go on to the engine."""
    field_by_capability: dict[Capability, str] = field(default_factory=dict)

    def add(self, capability: Capability, name: str) -> None:
        """Note one; the first field that asked is the one that errors name."""
        self.field_by_capability.setdefault(capability, name)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All of them."""
        return frozenset(self.field_by_capability)


def apply_rules(request: JsonObject, rules: Mapping[str, Rule], needs: Needs) -> None:
    """Sort the given fields into `needs`; Special ones are left to the caller.

    Raises:
        UnsupportedParameter: A field that nobody can honour, at a value that means something.
    """
    for name, value in request.items():
        if value is None:
            continue
        match rules[name]:
            case Pass(neutral):
                if value not in neutral:
                    needs.body[name] = value
            case Need(capability, neutral):
                if value not in neutral:
                    needs.body[name] = value
                    needs.add(capability, name)
            case Refuse(neutral):
                if value not in neutral:
                    raise UnsupportedParameter(f"'{name}' cannot be honoured here at this value", param=name)
            case Advice() | Special():
                pass


def check_json(value: Any, param: str) -> None:
    """Raise RequestError when a free-form object cannot be handed on as JSON (a huge integer, NaN)."""
    try:
        orjson.dumps(value)
    except TypeError:
        raise RequestError(f"Invalid value for '{param}': a number in it is too large", param=param) from None
