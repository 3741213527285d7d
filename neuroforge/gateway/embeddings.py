"""POST /v1/embeddings: the body -> Ask."""

from neuroforge.gateway import wire_requests
from neuroforge.gateway.ask import Ask, ask_from
from neuroforge.gateway.body import parse
from neuroforge.gateway.completions import measure
from neuroforge.gateway.requirements import EMBEDDING_RULES, Needs, apply_rules

_NAMES = tuple(EMBEDDING_RULES)


def parse_embedding(payload: bytes) -> tuple[Ask, bool]:
    """Check a body; returns what it needs, and whether vectors are wanted in base64 (as OpenAI's SDK asks).

    Raises:
        RequestError: It breaks the schema; names the field.
    """
    request = parse(wire_requests.EMBEDDING, payload, _NAMES)
    needs = Needs()
    needs.add("embedding", "input")
    apply_rules(request, EMBEDDING_RULES, needs)
    n_characters, n_prompts = measure(request["input"])
    ask = ask_from(request, "embeddings", needs, n_characters, n_prompts)
    return ask, request.get("encoding_format") == "base64"
