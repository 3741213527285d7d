"""OpenAI's body of an answer or a chunk -> what rooms read from it; an upstream may answer anything."""

from collections.abc import Iterable
from typing import Literal

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import Usage


def usage_of(body: JsonObject) -> Usage | None:
    """Read OpenAI's usage object; None where the body has none that can be read. What is no count counts as none."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(
        n_prompt_tokens=_count(usage.get("prompt_tokens")),
        n_completion_tokens=_count(usage.get("completion_tokens")),
        n_cached_tokens=_count(cached),
    )


def total_of(usages: Iterable[Usage]) -> Usage:
    """The sum, kind by kind."""
    listed = list(usages)
    return Usage(**{name: sum(getattr(one, name) for one in listed) for name in Usage.model_fields})


def first_choice(body: JsonObject) -> JsonObject:
    """Return the first choice; empty where there is none."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def content_of(body: JsonObject, part: Literal["message", "delta"] = "message") -> str | None:
    """Return the first choice's text; None where it has none (a tool call)."""
    message = first_choice(body).get(part)
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else None


def text_of(body: JsonObject) -> str | None:
    """Return the first choice's text of a completion."""
    text = first_choice(body).get("text")
    return text if isinstance(text, str) else None


def finish_reason_of(body: JsonObject) -> str | None:
    """Return why the first choice ended; None while it has not."""
    reason = first_choice(body).get("finish_reason")
    return reason if isinstance(reason, str) else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
