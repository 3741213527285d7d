"""POST /v1/chat/completions: the body -> Ask."""

from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import MEDIA_CHARACTERS
from neuroforge.errors import RequestError
from neuroforge.gateway import wire_requests
from neuroforge.gateway.ask import Ask, ask_from
from neuroforge.gateway.body import parse
from neuroforge.gateway.requirements import CHAT_RULES, Needs, apply_rules, check_json

_KEPT = ("role", "content", "name", "tool_calls", "tool_call_id")
_NAMES = tuple(CHAT_RULES)


def read_chat(payload: bytes) -> JsonObject:
    """Return a body that has the right shape.

    Raises:
        RequestError: It breaks the schema; names the field.
    """
    request: JsonObject = parse(wire_requests.CHAT, payload, _NAMES)
    return request


def ask_chat(request: JsonObject) -> Ask:
    """Say what a request with messages needs.

    Raises:
        RequestError: Fields that do not fit together. UnsupportedParameter: Nobody can honour one.
    """
    needs = Needs()
    needs.add("chat", "messages")
    n_characters = take_messages(request["messages"], needs)
    apply_rules(request, CHAT_RULES, needs)
    _take_max_tokens(request, needs)
    _take_logprobs(request, needs)
    _take_tools(request, needs)
    _take_format(request.get("response_format"), needs)
    return ask_from(request, "chat/completions", needs, n_characters)


def take_messages(messages: list[JsonObject], needs: Needs) -> int:
    """Put the conversation into the body as chat templates know it; returns its length in characters."""
    n_characters = 0
    kept: list[JsonObject] = []
    for message in messages:
        clean = {name: message[name] for name in _KEPT if message.get(name) is not None}
        if clean["role"] == "developer":
            clean["role"] = "system"
        elif clean["role"] == "assistant":
            _complete_assistant(message, clean)
        content = clean.get("content")
        if isinstance(content, str):
            n_characters += len(content)
        elif content is not None:
            clean["content"], n = _take_parts(content, needs)
            n_characters += n
        kept.append(clean)
    needs.body["messages"] = kept
    return n_characters


def _complete_assistant(message: JsonObject, clean: JsonObject) -> None:
    if not clean.get("tool_calls"):
        clean.pop("tool_calls", None)
        clean.setdefault("content", message.get("refusal") or "")
        return
    clean["tool_calls"] = [
        {"id": one["id"], "type": "function", "function": one["function"]} for one in clean["tool_calls"]
    ]


def _take_parts(parts: list[JsonObject], needs: Needs) -> tuple[list[JsonObject], int]:
    kept: list[JsonObject] = []
    n_characters = 0
    for part in parts:
        kind: str = part["type"]
        if kind in ("text", "refusal"):
            kept.append({"type": "text", "text": part[kind]})
            n_characters += len(part[kind])
            continue
        needs.add("vision" if kind == "image_url" else "audio", "messages")
        kept.append({"type": kind, kind: part[kind]})
        n_characters += MEDIA_CHARACTERS
    return kept, n_characters


def _take_max_tokens(request: JsonObject, needs: Needs) -> None:
    newer = request.get("max_completion_tokens")
    if newer is None:
        return
    if needs.body.get("max_tokens", newer) != newer:
        raise RequestError(
            "max_tokens and max_completion_tokens are the same thing: give one", param="max_completion_tokens"
        )
    needs.body["max_tokens"] = newer


def _take_logprobs(request: JsonObject, needs: Needs) -> None:
    top = request.get("top_logprobs")
    if not top:
        return
    if not request.get("logprobs"):
        raise RequestError("top_logprobs needs logprobs: true", param="top_logprobs")
    needs.body["top_logprobs"] = top
    needs.add("top_logprobs", "top_logprobs")


def _take_tools(request: JsonObject, needs: Needs) -> None:
    tools: list[JsonObject] = request.get("tools") or []
    choice = request.get("tool_choice")
    if not tools:
        if choice not in (None, "none", "auto"):
            raise RequestError("tool_choice needs tools", param="tool_choice")
        return
    check_json(tools, "tools")
    needs.body["tools"] = [{"type": "function", "function": one["function"]} for one in tools]
    if choice is not None:
        _check_choice(choice, tools)
        needs.body["tool_choice"] = choice
    if request.get("parallel_tool_calls") is not None:
        needs.body["parallel_tool_calls"] = request["parallel_tool_calls"]


def _check_choice(choice: Any, tools: list[JsonObject]) -> None:
    if isinstance(choice, dict) and all(one["function"]["name"] != choice["function"]["name"] for one in tools):
        raise RequestError("tool_choice names a function that is not among the tools", param="tool_choice")


def _take_format(wanted: JsonObject | None, needs: Needs) -> None:
    if wanted is None or wanted["type"] == "text":
        return
    if wanted["type"] == "json_object":
        needs.add("json_object", "response_format")
    else:
        if wanted["json_schema"].get("schema") is None:
            param = "response_format.json_schema.schema"
            raise RequestError(f"Missing required parameter: '{param}'", param=param)
        check_json(wanted, "response_format")
        needs.add("json_schema", "response_format")
    needs.body["response_format"] = wanted
