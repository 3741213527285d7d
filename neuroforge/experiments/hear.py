"""One streamed answer -> what was said, how many tokens, and when the first came."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from neuroforge.contracts.answers import content_of, finish_reason_of, first_choice, usage_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelScore, Usage
from neuroforge.contracts.ports import Clock
from neuroforge.errors import EngineError


@dataclass
class Heard:
    """One answer, whole."""

    reply: str = ""
    tool_calls: tuple[JsonObject, ...] = ()
    label_scores: tuple[LabelScore, ...] = ()
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    ttft_s: float | None = None
    latency_s: float | None = None


async def hear_stream(chunks: AsyncGenerator[JsonObject, None], clock: Clock) -> Heard:
    """Return the whole answer of a chat stream; the first token is the first text, reasoning or tool call.

    Raises:
        EngineError: The stream ended without a finish reason, or a chunk is no chunk; and what the stream raises.
    """
    begun_s = clock()
    heard = Heard()
    texts: list[str] = []
    calls: dict[int, JsonObject] = {}
    async with aclosing(chunks):
        async for chunk in chunks:
            heard.usage = usage_of(chunk) or heard.usage
            heard.finish_reason = finish_reason_of(chunk) or heard.finish_reason
            if _collect(chunk, texts, calls) and heard.ttft_s is None:
                heard.ttft_s = clock() - begun_s
    if heard.finish_reason is None:
        raise EngineError("the answer's stream ended without a finish reason")
    heard.latency_s = clock() - begun_s
    heard.reply = "".join(texts)
    heard.tool_calls = tuple(calls[index] for index in sorted(calls))
    return heard


def heard_labels(found: LabelLogprobs) -> Heard:
    """Return what label scores come to: the most likely label is the reply; no sampling, so no speed."""
    best = max(found.scores, key=lambda one: one.logprob)
    usage = Usage(n_prompt_tokens=found.n_prompt_tokens, n_completion_tokens=1)
    return Heard(reply=best.label, label_scores=found.scores, finish_reason="stop", usage=usage)


def _collect(chunk: JsonObject, texts: list[str], calls: dict[int, JsonObject]) -> bool:
    """Take over a chunk's part of the answer; return whether it brought any."""
    text = content_of(chunk, "delta")
    if text:
        texts.append(text)
    delta = first_choice(chunk).get("delta")
    if not isinstance(delta, dict):
        return bool(text)
    for part in delta.get("tool_calls") or ():
        _collect_call(part, calls)
    return bool(text or delta.get("tool_calls") or delta.get("reasoning_content"))


def _collect_call(part: Any, calls: dict[int, JsonObject]) -> None:
    try:
        function = part.get("function") or {}
        call = calls.setdefault(
            int(part.get("index", 0)), {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = call["id"] or part.get("id")
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""
    except (AttributeError, TypeError, ValueError) as error:
        raise EngineError("a chunk of the answer's stream has a tool call that cannot be read") from error
