"""POST /v1/responses: the body -> the same conversation as a chat request -> Ask. Nothing is stored."""

from collections.abc import Mapping
from typing import Any, Final

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import Capability
from neuroforge.gateway.ask import Ask
from neuroforge.gateway.body import parse
from neuroforge.gateway.chat import ask_chat
from neuroforge.gateway.requirements import Advice, Needs, Refuse, Rule, Special, apply_rules
from neuroforge.gateway.responses_wire import RESPONSE

RESPONSE_RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(
        ("model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p", "top_logprobs"),
        Special(),
    ),
    **dict.fromkeys(("include", "tools", "tool_choice", "parallel_tool_calls", "text", "neuroforge"), Special()),
    "reasoning": Special(),  # the effort; a summary is advice, since models without reasoning have nothing to sum up
    **dict.fromkeys(("metadata", "user", "safety_identifier", "service_tier", "stream_options"), Advice()),
    **dict.fromkeys(("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"), Advice()),
    "max_tool_calls": Advice(),  # bounds built-in tools, of which there are none
    "store": Refuse((False,)),
    "previous_response_id": Refuse(),
    "conversation": Refuse(),
    "background": Refuse((False,)),
    "prompt": Refuse(),
    "truncation": Refuse(("disabled",)),
    "context_management": Refuse(([],)),
    "moderation": Refuse(),
}
_NAMES = tuple(RESPONSE_RULES)
_LOGPROBS = "message.output_text.logprobs"
_SAME = ("model", "stream", "temperature", "top_p", "parallel_tool_calls", "neuroforge")
_FIELD_HERE = {
    "messages": "input",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "logprobs": "include",
}


def parse_response(payload: bytes) -> tuple[Ask, JsonObject]:
    """Check a body; returns what it needs, and the body for the answer to quote.

    Raises:
        RequestError: It breaks the schema; names the field.
        UnsupportedParameter: A field that nobody can honour here, such as previous_response_id.
    """
    request: JsonObject = parse(RESPONSE, payload, _NAMES)
    apply_rules(request, RESPONSE_RULES, Needs())
    # What the chat route would refuse in its own words is refused here by the name it has on this route.
    apply_rules({"text.verbosity": (request.get("text") or {}).get("verbosity")}, _TEXT_RULES, Needs())
    ask = ask_chat(_as_chat(request))
    for capability, name in ask.field_by_capability.items():
        ask.field_by_capability[capability] = _field_here(capability, name)
    return ask, request


_TEXT_RULES: Final[Mapping[str, Rule]] = {"text.verbosity": Refuse(("medium",))}


def _field_here(capability: Capability, name: str) -> str:
    if capability == "top_logprobs":
        return "top_logprobs"
    return _FIELD_HERE.get(name, name)


def _as_chat(request: JsonObject) -> JsonObject:
    chat = {name: request.get(name) for name in _SAME}
    top = request.get("top_logprobs")
    chat |= {
        "messages": _messages(request),
        "max_tokens": request.get("max_output_tokens"),
        "reasoning_effort": (request.get("reasoning") or {}).get("effort"),
        "top_logprobs": top,
        "logprobs": bool(top) or _LOGPROBS in (request.get("include") or ()),
        "tools": [_tool(one) for one in request.get("tools") or ()],
        "tool_choice": _choice(request.get("tool_choice")),
        "response_format": _format((request.get("text") or {}).get("format")),
    }
    return chat


def _messages(request: JsonObject) -> list[JsonObject]:
    messages: list[JsonObject] = []
    if request.get("instructions"):
        messages.append({"role": "system", "content": request["instructions"]})
    given = request["input"]
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for item in given:
        _add_item(item, messages)
    return messages


def _add_item(item: JsonObject, messages: list[JsonObject]) -> None:
    match item.get("type", "message"):
        case "message":
            messages.append({"role": item["role"], "content": _content(item["content"])})
        case "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            call = {"id": item["call_id"], "function": function}
            if messages and messages[-1]["role"] == "assistant":
                messages[-1].setdefault("tool_calls", []).append(call)
            else:
                messages.append({"role": "assistant", "tool_calls": [call]})
        case "function_call_output":
            output = {"role": "tool", "tool_call_id": item["call_id"], "content": _content(item["output"])}
            messages.append(output)


def _content(content: str | list[JsonObject]) -> Any:
    if isinstance(content, str):
        return content
    return [_part(one) for one in content]


def _part(part: JsonObject) -> JsonObject:
    if part["type"] == "input_image":
        image = {"url": part["image_url"]}
        if part.get("detail"):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}
    return {"type": "text", "text": part["refusal"] if part["type"] == "refusal" else part["text"]}


def _tool(tool: JsonObject) -> JsonObject:
    function = {name: value for name, value in tool.items() if name != "type" and value is not None}
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _format(wanted: JsonObject | None) -> JsonObject | None:
    if wanted is None or wanted["type"] != "json_schema":
        return wanted
    schema = {name: value for name, value in wanted.items() if name != "type" and value is not None}
    return {"type": "json_schema", "json_schema": schema}
