"""llama.cpp's stream -> OpenAI's: events of progress go, usage comes once and at the end, text is passed untouched."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import Usage
from neuroforge.engines.llamacpp_request import GenerationPlan
from neuroforge.engines.llamacpp_tools import ForcedCallReader

DONE: Final = b"[DONE]"
_PROGRESS: Final = b',"prompt_progress":{'
_USAGE: Final = b',"usage":{'
"""Inside a JSON string the quotes would be escaped, so generated text cannot look like these."""


@dataclass
class StreamTotals:
    """What a stream was seen to carry so far."""

    n_texts: int = 0
    """Chunks with a token in them: the count of tokens, until usage tells it exactly."""
    usage: Usage | None = None
    s_per_token: float | None = None


class ChunkTranslator:
    """Data of llama.cpp's events in, data of OpenAI's events out."""

    def __init__(self, plan: GenerationPlan) -> None:
        self.totals = StreamTotals()
        self._plan = plan
        self._usages: list[JsonObject] = []
        self._last: JsonObject = {}
        self._calls: dict[int, ForcedCallReader] = {}
        self._text_offsets: dict[int, int] = {}

    def feed(self, data: bytes) -> list[bytes]:
        """Return what to send for one event."""
        if data == DONE:
            return [*self._usage_chunk(), DONE]
        if _PROGRESS in data:
            return []
        if _USAGE not in data and not self._plan.needs_rewriting:
            self.totals.n_texts += 1
            return [data]
        chunk: JsonObject = orjson.loads(data)
        timings = chunk.pop("timings", None)
        usage = chunk.pop("usage", None)
        if usage is not None:
            self._note_usage(chunk, usage, timings)
        else:
            self.totals.n_texts += 1
        return [orjson.dumps(rewritten) for rewritten in self._rewrite(chunk)]

    def _note_usage(self, chunk: JsonObject, usage: JsonObject, timings: JsonObject | None) -> None:
        self._usages.append(usage)
        self._last = chunk
        if timings and timings.get("predicted_n", 0) > 1:
            self.totals.s_per_token = timings["predicted_ms"] / 1e3 / (timings["predicted_n"] - 1)
        self.totals.usage = _sum_usages(self._usages, self._plan.n_choices_per_prompt)

    def _usage_chunk(self) -> list[bytes]:
        if not self._plan.wants_usage or self.totals.usage is None:
            return []
        chunk = {**self._last, "choices": [], "usage": usage_body(self.totals.usage)}
        return [orjson.dumps(chunk)]

    def _rewrite(self, chunk: JsonObject) -> list[JsonObject]:
        if not chunk["choices"]:
            return []
        if self._plan.n_top_logprobs is not None:
            for choice in chunk["choices"]:
                self._rewrite_logprobs(choice, self._plan.n_top_logprobs)
        if self._plan.is_forced_call:
            return self._rewrite_call(chunk, chunk["choices"][0])
        return [chunk]

    def _rewrite_logprobs(self, choice: JsonObject, n_top: int) -> None:
        logprobs = choice.get("logprobs")
        if not logprobs:
            return
        for token in logprobs["content"]:
            token.pop("id", None)
            token["top_logprobs"] = token["top_logprobs"][:n_top]
            for top in token["top_logprobs"]:
                top.pop("id", None)
        if not self._plan.is_chat:
            offset = self._text_offsets.get(choice["index"], 0)
            choice["logprobs"] = _completion_logprobs(logprobs["content"], offset)
            self._text_offsets[choice["index"]] = offset + len(choice["text"])

    def _rewrite_call(self, chunk: JsonObject, choice: JsonObject) -> list[JsonObject]:
        delta = choice["delta"]
        if choice.get("finish_reason"):
            if choice["finish_reason"] == "stop":
                choice["finish_reason"] = "tool_calls"
            return [chunk]
        text = delta.get("content")
        if not text:
            return [chunk]
        reader = self._calls.setdefault(choice["index"], ForcedCallReader())
        calls = reader.feed(text)
        return [{**chunk, "choices": [{**choice, "delta": {"tool_calls": [call]}}]} for call in calls]


def _sum_usages(usages: list[JsonObject], n_choices_per_prompt: int) -> Usage:
    """llama.cpp reports each choice apart, and the prompt again with each."""

    def total(name: str) -> int:
        return sum(int(usage[name]) for usage in usages)

    n_cached = sum(int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)) for usage in usages)
    return Usage(
        n_prompt_tokens=total("prompt_tokens") // n_choices_per_prompt,
        n_completion_tokens=total("completion_tokens"),
        n_cached_tokens=n_cached // n_choices_per_prompt,
    )


def usage_body(usage: Usage) -> JsonObject:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": usage.n_prompt_tokens,
        "completion_tokens": usage.n_completion_tokens,
        "total_tokens": usage.n_prompt_tokens + usage.n_completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.n_cached_tokens},
    }


def _completion_logprobs(tokens: list[JsonObject], offset: int) -> JsonObject:
    """The older form, of /v1/completions: four lists in step."""
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token["token"])
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [{top["token"]: top["logprob"] for top in token["top_logprobs"]} for token in tokens],
        "text_offset": offsets,
    }


@dataclass
class _Choice:
    role: str = "assistant"
    text: str = ""
    reasoning: str = ""
    tool_calls: dict[int, JsonObject] = field(default_factory=dict)
    logprobs: JsonObject | None = None
    finish_reason: str | None = None


class AnswerCollector:
    """Chunks of a stream -> the whole answer that a caller who did not ask for a stream gets."""

    def __init__(self, is_chat: bool) -> None:
        self._is_chat = is_chat
        self._choices: dict[int, _Choice] = {}
        self._frame: JsonObject = {}

    def add(self, chunk: JsonObject) -> None:
        """Take one chunk."""
        self._frame = chunk
        for part in chunk["choices"]:
            choice = self._choices.setdefault(part["index"], _Choice())
            if part.get("logprobs"):
                _extend_logprobs(choice, part["logprobs"])
            choice.finish_reason = part.get("finish_reason") or choice.finish_reason
            if self._is_chat:
                _extend_message(choice, part["delta"])
            else:
                choice.text += part["text"]

    def answer(self, usage: Usage | None) -> JsonObject:
        """Return the answer; call it once, after the last chunk."""
        choices = [self._finished(index, choice) for index, choice in sorted(self._choices.items())]
        kind = "chat.completion" if self._is_chat else "text_completion"
        answer = {**self._frame, "object": kind, "choices": choices}
        if usage is not None:
            answer["usage"] = usage_body(usage)
        return answer

    def _finished(self, index: int, choice: _Choice) -> JsonObject:
        common: JsonObject = {"index": index, "logprobs": choice.logprobs, "finish_reason": choice.finish_reason}
        if not self._is_chat:
            return {**common, "text": choice.text}
        calls = [call for _, call in sorted(choice.tool_calls.items())]
        message: JsonObject = {"role": choice.role, "content": choice.text or (None if calls else "")}
        if choice.reasoning:
            message["reasoning_content"] = choice.reasoning
        if calls:
            message["tool_calls"] = calls
        return {**common, "message": message}


def _extend_message(choice: _Choice, delta: JsonObject) -> None:
    choice.role = delta.get("role") or choice.role
    choice.text += delta.get("content") or ""
    choice.reasoning += delta.get("reasoning_content") or ""
    for piece in delta.get("tool_calls") or ():
        known = choice.tool_calls.get(piece["index"])
        if known is None:
            choice.tool_calls[piece["index"]] = {name: value for name, value in piece.items() if name != "index"}
            continue
        function: dict[str, Any] = piece.get("function") or {}
        known["function"]["arguments"] += function.get("arguments") or ""


def _extend_logprobs(choice: _Choice, logprobs: JsonObject) -> None:
    if choice.logprobs is None:
        choice.logprobs = {name: list(values) for name, values in logprobs.items()}
        return
    for name, values in logprobs.items():
        choice.logprobs[name].extend(values)
