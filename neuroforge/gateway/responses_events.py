"""Chat's answer -> a Response, whole or as events in OpenAI's order with sequence numbers."""

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.gateway import responses_body as body_of
from neuroforge.gateway.call import new_id


class ResponseRenderer:
    """One answer. A stream has at most one open item; another kind of delta closes it and opens the next."""

    def __init__(self, request: JsonObject, created_at_s: float) -> None:
        self._response = body_of.response_object(request, new_id("resp_"), int(created_at_s))
        self._n_events = 0
        self._item: JsonObject = {}  # empty = none is open
        self._call_index: int | None = None
        self._finish_reason: str | None = None
        self._usage: JsonObject | None = None

    def whole(self, body: JsonObject, model_id: str) -> JsonObject:
        """The Response of an answer that is not streamed."""
        choice = body["choices"][0]
        self._response["model"] = model_id
        self._response["output"] = body_of.items_of(choice["message"], body_of.logprobs_of(choice))
        return body_of.finish(self._response, choice.get("finish_reason"), body.get("usage"))

    def begin(self, model_id: str) -> bytes:
        """The response exists and is being worked on."""
        self._response["model"] = model_id
        shown = {"response": self._response}
        return self._event("response.created", shown) + self._event("response.in_progress", shown)

    def chunk(self, body: JsonObject) -> bytes:
        """What one chunk of chat means here."""
        self._usage = body.get("usage") or self._usage
        if not body.get("choices"):
            return b""
        choice = body["choices"][0]
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        delta = choice.get("delta") or {}
        events = b""
        if delta.get("reasoning_content"):
            events += self._on_reasoning(delta["reasoning_content"])
        if delta.get("content"):
            events += self._on_text(delta["content"], body_of.logprobs_of(choice))
        for call in delta.get("tool_calls") or ():
            events += self._on_call(call)
        return events

    def end(self) -> bytes:
        """Close what is open, then the whole response."""
        events = b"" if self._response["output"] or self._item else self._open_message()
        events += self._close()
        response = body_of.finish(self._response, self._finish_reason, self._usage)
        return events + self._event(f"response.{response['status']}", {"response": response})

    def fail(self, envelope: JsonObject) -> bytes:
        """The response failed, and why."""
        error = envelope["error"]
        reason = {"code": "server_error", "message": error["message"]}
        failed = {**self._response, "status": "failed", "error": reason}
        shown = {name: error[name] for name in ("code", "message", "param")}
        return self._event("response.failed", {"response": failed}) + self._event("error", shown)

    def _on_text(self, text: str, logprobs: list[JsonObject]) -> bytes:
        events = b"" if self._is_open("message") else self._close() + self._open_message()
        part = self._part()
        part["text"] += text
        part["logprobs"] += logprobs
        shown = {**self._place(), "content_index": 0, "delta": text, "logprobs": logprobs}
        return events + self._event("response.output_text.delta", shown)

    def _on_reasoning(self, text: str) -> bytes:
        events = b""
        if not self._is_open("reasoning"):
            events = self._close() + self._open(body_of.reasoning_item([]))
            events += self._open_part({"type": "reasoning_text", "text": ""})
        self._part()["text"] += text
        shown = {**self._place(), "content_index": 0, "delta": text}
        return events + self._event("response.reasoning_text.delta", shown)

    def _on_call(self, call: JsonObject) -> bytes:
        function = call.get("function") or {}
        events = b""
        index = call.get("index", 0)
        if not self._is_open("function_call") or index != self._call_index:
            events = self._close()
            self._call_index = index
            events += self._open(body_of.call_item("in_progress", call.get("id"), function.get("name") or "", ""))
        if arguments := function.get("arguments"):
            self._item["arguments"] += arguments
            shown = {**self._place(), "delta": arguments}
            events += self._event("response.function_call_arguments.delta", shown)
        return events

    def _open_message(self) -> bytes:
        opened = self._open(body_of.message_item("in_progress", []))
        return opened + self._open_part(body_of.text_part("", []))

    def _open(self, item: JsonObject) -> bytes:
        self._item = item
        place = {"output_index": len(self._response["output"]), "item": item}
        return self._event("response.output_item.added", place)

    def _open_part(self, part: JsonObject) -> bytes:
        shown = self._event("response.content_part.added", {**self._place(), "content_index": 0, "part": part})
        self._item["content"].append(part)
        return shown

    def _close(self) -> bytes:
        item = self._item
        if not item:
            return b""
        events = b""
        if item["type"] == "function_call":
            shown = {**self._place(), "arguments": item["arguments"], "name": item["name"]}
            events += self._event("response.function_call_arguments.done", shown)
        else:
            events += self._close_part(item["type"])
        if item["type"] != "reasoning":
            item["status"] = "incomplete" if self._finish_reason == "length" else "completed"
        output_index = len(self._response["output"])
        events += self._event("response.output_item.done", {"output_index": output_index, "item": item})
        self._response["output"].append(item)
        self._item = {}
        return events

    def _close_part(self, kind: str) -> bytes:
        part, place = self._part(), {**self._place(), "content_index": 0}
        if kind == "reasoning":
            done = self._event("response.reasoning_text.done", {**place, "text": part["text"]})
        else:
            shown = {**place, "text": part["text"], "logprobs": part["logprobs"]}
            done = self._event("response.output_text.done", shown)
        return done + self._event("response.content_part.done", {**place, "part": part})

    def _is_open(self, kind: str) -> bool:
        return self._item.get("type") == kind

    def _part(self) -> JsonObject:
        part: JsonObject = self._item["content"][0]
        return part

    def _place(self) -> JsonObject:
        return {"item_id": self._item["id"], "output_index": len(self._response["output"])}

    def _event(self, kind: str, fields: JsonObject) -> bytes:
        shown = {"type": kind, "sequence_number": self._n_events, **fields}
        self._n_events += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(shown) + b"\n\n"
