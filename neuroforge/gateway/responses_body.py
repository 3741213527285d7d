"""The Response object of POST /v1/responses and the items in it."""

from typing import Any

from neuroforge.contracts.base import JsonObject
from neuroforge.gateway.call import new_id

_QUOTED = ("instructions", "max_output_tokens", "max_tool_calls", "metadata", "temperature", "top_p", "user")
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response_object(request: JsonObject, response_id: str, created_at_s: int) -> JsonObject:
    """A response that has just begun; quotes the request as OpenAI does."""
    quoted = {name: request.get(name) for name in _QUOTED}
    reasoning = request.get("reasoning") or {}
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at_s,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": request["model"],
        "output": [],
        "parallel_tool_calls": request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": None},
        "service_tier": "default",
        "store": False,
        "text": {"format": {"type": "text"}, **_given(request.get("text"))},
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": [{"parameters": None, "strict": None, **one} for one in request.get("tools") or ()],
        "top_logprobs": request.get("top_logprobs") or 0,
        "truncation": "disabled",
        "usage": None,
        **quoted,
        "metadata": request.get("metadata") or {},
    }


def finish(response: JsonObject, finish_reason: str | None, usage: JsonObject | None) -> JsonObject:
    """The same response when its last item is there: completed, or incomplete with the reason."""
    cut_by = _INCOMPLETE.get(finish_reason or "")
    return {
        **response,
        "status": "incomplete" if cut_by else "completed",
        "incomplete_details": {"reason": cut_by} if cut_by else None,
        "usage": usage_object(usage or {}),
    }


def usage_object(usage: JsonObject) -> JsonObject:
    """Chat's usage in the words of this route."""
    n_input, n_output = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": n_input,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": n_output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": n_input + n_output,
    }


def message_item(status: str, content: list[JsonObject]) -> JsonObject:
    """An answer in words."""
    return {"id": new_id("msg_"), "type": "message", "status": status, "role": "assistant", "content": content}


def text_part(text: str, logprobs: list[JsonObject]) -> JsonObject:
    """The words."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def reasoning_item(content: list[JsonObject]) -> JsonObject:
    """What the model thought aloud."""
    return {"id": new_id("rs_"), "type": "reasoning", "summary": [], "content": content}


def call_item(status: str, call_id: str | None, name: str, arguments: str) -> JsonObject:
    """A function that the model wants called."""
    return {
        "id": new_id("fc_"),
        "type": "function_call",
        "status": status,
        "call_id": call_id or new_id("call_"),
        "name": name,
        "arguments": arguments,
    }


def items_of(message: JsonObject, logprobs: list[JsonObject]) -> list[JsonObject]:
    """The items of a whole chat answer, in the order in which a stream would bring them."""
    items: list[JsonObject] = []
    if thought := message.get("reasoning_content"):
        items.append(reasoning_item([{"type": "reasoning_text", "text": thought}]))
    calls = message.get("tool_calls") or []
    if message.get("content") or not calls:
        items.append(message_item("completed", [text_part(message.get("content") or "", logprobs)]))
    for one in calls:
        function = one["function"]
        items.append(call_item("completed", one.get("id"), function["name"], function.get("arguments") or ""))
    return items


def logprobs_of(choice: JsonObject) -> list[JsonObject]:
    """Chat's log-probabilities, whose entries have the same form here."""
    found: Any = (choice.get("logprobs") or {}).get("content")
    return list(found or ())


def _given(options: JsonObject | None) -> JsonObject:
    return {name: value for name, value in (options or {}).items() if value is not None}
