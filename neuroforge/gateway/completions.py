"""POST /v1/completions: the body -> Ask."""

from typing import Any

from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN
from neuroforge.gateway import wire_requests
from neuroforge.gateway.ask import Ask, ask_from
from neuroforge.gateway.body import parse
from neuroforge.gateway.requirements import COMPLETION_RULES, Needs, apply_rules

_NAMES = tuple(COMPLETION_RULES)


def parse_completion(payload: bytes) -> Ask:
    """Check a body and say what it needs.

    Raises:
        RequestError: It breaks the schema; names the field.
    """
    request = parse(wire_requests.COMPLETION, payload, _NAMES)
    needs = Needs()
    needs.add("completion", "prompt")
    apply_rules(request, COMPLETION_RULES, needs)
    if request.get("logprobs"):
        needs.add("top_logprobs", "logprobs")
    n_characters, n_prompts = measure(request["prompt"])
    return ask_from(request, "completions", needs, n_characters, n_prompts)


def measure(texts: Any) -> tuple[int, int]:
    """Length in characters and number of prompts: of a text, texts, token ids, or lists of token ids."""
    if isinstance(texts, str):
        return len(texts), 1
    if isinstance(texts[0], int):
        return len(texts) * CHARACTERS_PER_TOKEN, 1
    if isinstance(texts[0], str):
        return sum(map(len, texts)), len(texts)
    return sum(map(len, texts)) * CHARACTERS_PER_TOKEN, len(texts)
