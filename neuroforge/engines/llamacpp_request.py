"""OpenAI's body -> the body that makes llama.cpp do the same, and what must be undone in its answer.

llama.cpp ignores fields that it does not know, so only fields that it honours pass (checked against the real engine in
tests/contract/test_llamacpp_engine.py). Every generation is asked for as a stream with progress events: only while it
writes does llama.cpp notice that nobody listens any more.
"""

from dataclasses import dataclass
from typing import Any, Final

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRoute
from neuroforge.engines.llamacpp_tools import forced_call
from neuroforge.errors import RequestError, UnsupportedParameter

_EXTENSIONS = frozenset({"top_k", "min_p", "repeat_penalty", "ignore_eos", "chat_template_kwargs"})
_SAMPLING = _EXTENSIONS | {
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "n",
    "seed",
    "stop",
    "logprobs",
}
HONOURED_PARAMETERS: Final[dict[EngineRoute, frozenset[str]]] = {
    "chat/completions": _SAMPLING
    | {
        "messages",
        "max_completion_tokens",
        "top_logprobs",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
    },
    "completions": _SAMPLING - {"chat_template_kwargs"} | {"prompt"},
    "embeddings": frozenset({"model", "input", "encoding_format"}),
}
"""By route, OpenAI's fields and a few common extensions; any other field with a value is refused."""

_SEEDS = 0xFFFFFFFF
"""llama.cpp's seeds are 32 bits wide, and the highest means "random"."""


@dataclass(frozen=True)
class ModelTraits:
    """What a request is checked against."""

    parallel: int
    """Sequences of the engine; more choices than that cannot be drawn."""
    has_tools: bool
    """Whether the chat template has a place for tools."""
    n_vocabulary: int
    context_length: int
    """Of one sequence."""


@dataclass(frozen=True)
class GenerationPlan:
    """One generation: what to send, and how to read what comes back."""

    path: str
    body: JsonObject
    is_chat: bool
    n_choices_per_prompt: int
    n_slots: int
    wants_usage: bool
    """Whether the caller of a stream asked for the usage chunk."""
    n_top_logprobs: int | None = None
    """None = no log-probabilities; 0 = of the chosen token only."""
    is_forced_call: bool = False
    """The text that comes is one tool call as JSON, to be turned into a tool_calls delta."""

    @property
    def needs_rewriting(self) -> bool:
        """Whether each chunk must be decoded and changed."""
        return self.is_forced_call or self.n_top_logprobs is not None


def check_parameters(route: EngineRoute, body: JsonObject) -> JsonObject:
    """Return the fields that have a value.

    Raises:
        UnsupportedParameter: A field that llama.cpp would ignore.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name in given:
        if name not in HONOURED_PARAMETERS[route]:
            raise UnsupportedParameter(f"llama.cpp cannot honour '{name}'", param=name)
    return given


def plan_generation(route: EngineRoute, body: JsonObject, model: ModelTraits) -> GenerationPlan:
    """Return the plan for a chat or completion body.

    Raises:
        RequestError: The body has a field that cannot be honoured, or lacks one.
    """
    given = check_parameters(route, body)
    is_chat = route == "chat/completions"
    n = int(given.get("n", 1))
    if not 1 <= n <= model.parallel:
        raise UnsupportedParameter(f"n={n}: this model draws 1 to {model.parallel} choices at a time", param="n")
    sent = {name: value for name, value in given.items() if name not in ("model", "max_completion_tokens")}
    if "max_completion_tokens" in given:
        sent["max_tokens"] = given["max_completion_tokens"]
    stream_options = sent.pop("stream_options", None) or {}
    sent |= {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True, "cache_prompt": True}
    _translate_sampling(sent, model)
    n_top_logprobs = _translate_logprobs(sent, is_chat)
    n_prompts, is_forced_call = 1, False
    if is_chat:
        is_forced_call = _translate_chat(sent, model.has_tools)
    else:
        n_prompts = _count_prompts(sent.get("prompt"))
    return GenerationPlan(
        path=f"/v1/{route}",
        body=sent,
        is_chat=is_chat,
        n_choices_per_prompt=n,
        n_slots=n * n_prompts,
        wants_usage=bool(stream_options.get("include_usage")),
        n_top_logprobs=n_top_logprobs,
        is_forced_call=is_forced_call,
    )


def _translate_sampling(sent: JsonObject, model: ModelTraits) -> None:
    if "seed" in sent:
        sent["seed"] = int(sent["seed"]) % _SEEDS
    if sent.get("frequency_penalty") or sent.get("presence_penalty"):
        # OpenAI's penalties look at the whole text, llama.cpp's at the last 64 tokens (and -1 is no longer "all").
        sent["repeat_last_n"] = model.context_length
    if "logit_bias" in sent:
        sent["logit_bias"] = [
            [_token_id(token, model.n_vocabulary), float(bias)] for token, bias in sent["logit_bias"].items()
        ]


def _token_id(token: str, n_vocabulary: int) -> int:
    if not token.isdecimal() or int(token) >= n_vocabulary:
        raise RequestError(f"logit_bias: token ids go from 0 to {n_vocabulary - 1}", param="logit_bias")
    return int(token)


def _translate_logprobs(sent: JsonObject, is_chat: bool) -> int | None:
    """llama.cpp takes `top_logprobs` 0 as no log-probabilities, and its absence as 20."""
    wanted = sent.pop("logprobs", None)
    n_top = int(sent.pop("top_logprobs", 0)) if is_chat else int(wanted or 0)
    if wanted is None or wanted is False:
        return None
    if is_chat:
        sent |= {"logprobs": True, "top_logprobs": max(1, n_top)}
    else:
        sent["logprobs"] = max(1, n_top)
    return n_top


def _translate_chat(sent: JsonObject, has_tools: bool) -> bool:
    """Check the messages, settle the tools, and return whether a call is forced."""
    check_messages(sent.get("messages"))
    tools = sent.get("tools")
    choice = sent.get("tool_choice")
    if not tools:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            sent.pop(name, None)
        return False
    if not has_tools:
        raise UnsupportedParameter("the model's chat template has no place for tools", param="tools")
    if choice in (None, "auto", "none"):
        return False
    if (sent.get("response_format") or {}).get("type", "text") != "text":
        raise UnsupportedParameter("a forced tool call has a form of its own", param="response_format")
    if "logprobs" in sent:
        raise UnsupportedParameter("no log-probabilities come with a forced tool call", param="logprobs")
    schema = forced_call(tools, choice)
    sent |= {"tool_choice": "none", "response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    sent.pop("parallel_tool_calls", None)
    return True


def check_messages(messages: Any) -> None:
    """Refuse what this engine does not read; llama.cpp would fetch an image's address before it finds that out.

    Raises:
        RequestError: No list, or an empty one.
        UnsupportedParameter: A part that is not text.
    """
    if not isinstance(messages, list) or not messages:
        raise RequestError("'messages' must be a list with at least one message", param="messages")
    for index, message in enumerate(messages):
        _check_parts(message, f"messages[{index}].content")


def _check_parts(message: Any, param: str) -> None:
    content = message.get("content") if isinstance(message, dict) else None
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "refusal"):
            raise UnsupportedParameter(f"this model reads text only, not {kind!r}", param=param)


def _count_prompts(prompt: Any) -> int:
    """A text, token ids, or a list of either."""
    if prompt is None:
        raise RequestError("'prompt' is missing", param="prompt")
    if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int):
        return len(prompt)
    return 1
