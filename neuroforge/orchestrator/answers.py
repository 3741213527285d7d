"""A chat completion -> its text, how sure the model was, and what the text comes down to for a vote."""

import json
import math
import re

from neuroforge.contracts.answers import content_of, first_choice
from neuroforge.contracts.base import JsonObject

_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_SAID = re.compile(r"(?:final\s+answer|answer|antwort)\s*(?:is|:|=|ist)+\s*(.+)", re.IGNORECASE)
_LETTER = re.compile(r"^\(?([A-J])\)?(?:[.:)]|$)")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_SPACE = re.compile(r"\s+")


def text_of(body: JsonObject) -> str:
    """Return the first choice's text; empty where it has none (a tool call)."""
    return content_of(body) or ""


def confidence_of(body: JsonObject) -> float | None:
    """Return the geometric mean of the tokens' probabilities, 0..1; None where the engine told none."""
    logprobs = first_choice(body).get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content:
        return None
    values = [one.get("logprob") for one in content if isinstance(one, dict)]
    numbers = [float(one) for one in values if isinstance(one, int | float)]
    return math.exp(min(0.0, sum(numbers) / len(numbers))) if numbers else None


def normalise_answer(text: str) -> str:
    """Return what an answer comes down to, so that two ways of saying it are one vote.

    In this order: JSON in canonical form; what stands in \\boxed{} or behind the last "answer is"; a choice's letter;
    a number (the last one, where the answer ends in one or was pointed out); else the words in lower case.
    """
    text = text.strip()
    if (canonical := _canonical_json(text)) is not None:
        return canonical
    pointed = _pointed_out(text)
    core = pointed if pointed is not None else text
    if letter := _LETTER.match(core.strip("*_ ")):
        return letter[1]
    numbers = _NUMBER.findall(core)
    if numbers and (pointed is not None or core.rstrip(" .*_$€%").endswith(numbers[-1])):
        return _canonical_number(numbers[-1])
    return _SPACE.sub(" ", core.lower()).strip(" .!*_\"'`")


def _canonical_json(text: str) -> str | None:
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except (json.JSONDecodeError, RecursionError):
        return None


def _pointed_out(text: str) -> str | None:
    if boxed := _BOXED.findall(text):
        return str(boxed[-1]).strip()
    said = _SAID.findall(text)
    return said[-1].strip() if said else None


def _canonical_number(text: str) -> str:
    value = float(text.replace(",", ""))
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
