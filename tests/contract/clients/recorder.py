"""A small OpenAI-shaped server that writes down every request it gets; run beside a client's driver.

`python tests/contract/clients/recorder.py --port 8766 --out tests/contract/data/client_bodies/NAME.json --client NAME
--version X`. A driver names its call in the path: base URL `http://127.0.0.1:8766/<call>/v1`. Standard library only, so
that it runs in any client's environment.
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DROPPED_HEADERS = {"host", "connection", "content-length", "accept-encoding"}
CITY = {"properties": {"city": {"type": "string"}, "population": {"type": "integer"}}}
"""What the drivers ask for when they name no schema."""
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def sample_from(schema: dict[str, Any]) -> Any:
    """The smallest value that a JSON schema accepts, for the few kinds that the drivers use."""
    if "$ref" in schema:
        return {}
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {name: sample_from(one) for name, one in schema.get("properties", {}).items()}
    return {"string": "Paris", "integer": 2, "number": 2.0, "boolean": True, "array": []}.get(str(kind), "Paris")


def chat_message(body: dict[str, Any]) -> dict[str, Any]:
    """A tool call when tools are offered and none has answered yet, JSON when a schema is asked, else a word."""
    answered = any(message.get("role") == "tool" for message in body.get("messages", []))
    if body.get("tools") and not answered:
        function = body["tools"][0]["function"]
        arguments = json.dumps(sample_from(function.get("parameters") or {}))
        call = {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    form = body.get("response_format") or {}
    schema = (form.get("json_schema") or {}).get("schema")
    if form.get("type") == "json_object":
        schema = CITY
    text = json.dumps(sample_from(schema)) if schema else "Paris."
    return {"role": "assistant", "content": text}


def chat_answer(body: dict[str, Any]) -> dict[str, Any]:
    message = chat_message(body)
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body.get("model")}
    return {**head, "choices": [choice], "usage": USAGE}


def chat_chunks(body: dict[str, Any]) -> list[dict[str, Any]]:
    message = chat_message(body)
    delta: dict[str, Any] = {"role": "assistant", "content": message["content"]}
    if calls := message.get("tool_calls"):
        delta["tool_calls"] = [{"index": i, **call} for i, call in enumerate(calls)]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body.get("model")}
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choices = [{"index": 0, "delta": delta, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": finish}]
    chunks: list[dict[str, Any]] = [{**head, "choices": [choice]} for choice in choices]
    return [*chunks, {**head, "choices": [], "usage": USAGE}]


def completion_answer(body: dict[str, Any]) -> dict[str, Any]:
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    choices = [{"index": i, "text": " Paris.", "finish_reason": "stop", "logprobs": None} for i in range(len(prompts))]
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body.get("model")}
    return {**head, "choices": choices, "usage": USAGE}


def response_answer(body: dict[str, Any]) -> dict[str, Any]:
    """One Responses object: a function call when tools are offered, else text."""
    answered = any(item.get("type") == "function_call_output" for item in _items(body))
    output: dict[str, Any]
    if body.get("tools") and not answered:
        tool = body["tools"][0]
        arguments = json.dumps(sample_from(tool.get("parameters") or {}))
        output = {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": tool["name"],
            "status": "completed",
        }
        output["arguments"] = arguments
    else:
        schema = ((body.get("text") or {}).get("format") or {}).get("schema")
        text = json.dumps(sample_from(schema)) if schema else "Paris."
        part = {"type": "output_text", "text": text, "annotations": []}
        output = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12, **details}
    fixed = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None}
    head = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": body.get("model")}
    return {**head, **fixed, "output": [output], "usage": usage}


def response_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    whole = response_answer(body)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    item = whole["output"][0]
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    opened = {**item, "status": "in_progress", **({"content": []} if item["type"] == "message" else {"arguments": ""})}
    events.append({"type": "response.output_item.added", "output_index": 0, "item": opened})
    at = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "message":
        at["content_index"] = 0
        text = item["content"][0]["text"]
        empty = {"type": "output_text", "text": "", "annotations": []}
        events.append({"type": "response.content_part.added", **at, "part": empty})
        events.append({"type": "response.output_text.delta", **at, "delta": text, "logprobs": []})
        events.append({"type": "response.output_text.done", **at, "text": text, "logprobs": []})
        events.append({"type": "response.content_part.done", **at, "part": item["content"][0]})
    else:
        events.append({"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]})
        done = {"type": "response.function_call_arguments.done", "arguments": item["arguments"], "name": item["name"]}
        events.append({**done, **at})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [{**event, "sequence_number": i} for i, event in enumerate(events)]


def embedding_answer(body: dict[str, Any]) -> dict[str, Any]:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector: Any = "AACAPwAAAAA=" if body.get("encoding_format") == "base64" else [1.0, 0.0]
    rows = [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(inputs))]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": rows, "model": body.get("model"), "usage": usage}


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


class Recorder(ThreadingHTTPServer):
    """Keeps the recorded calls and rewrites the file after each, so that a driver's crash loses nothing."""

    daemon_threads = True

    def __init__(self, port: int, client: str, version: str, out: Path) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self._head = {"client": client, "version": version}
        self._out = out
        self._calls: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def record(self, call: dict[str, Any]) -> None:
        with self._lock:
            self._calls.append(call)
            tree = {**self._head, "calls": self._calls}
            self._out.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class Handler(BaseHTTPRequestHandler):
    """Routes by the path after `/<call>/v1`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = (
            self.rfile.read(int(self.headers["content-length"])) if "content-length" in self.headers else self._chunks()
        )
        body = json.loads(raw)
        route = self._record(body)
        if route == "/chat/completions":
            self._answer(body, chat_answer(body), [{"data": one} for one in chat_chunks(body)], done=True)
        elif route == "/responses":
            events = [{"event": one["type"], "data": one} for one in response_events(body)]
            self._answer(body, response_answer(body), events, done=False)
        elif route == "/completions":
            self._answer(body, completion_answer(body), [{"data": completion_answer(body)}], done=True)
        else:
            self._answer(body, embedding_answer(body), [], done=False)

    def do_GET(self) -> None:
        self._record(None)
        model = {"id": "smollm2-135m-instruct", "object": "model", "created": 1, "owned_by": "neuroforge"}
        self._answer({}, {"object": "list", "data": [model]}, [], done=False)

    def log_message(self, *_: Any) -> None:
        """The file is the log."""

    def _record(self, body: dict[str, Any] | None) -> str:
        _, call, rest = self.path.split("/", 2)
        kept = {name.lower(): value for name, value in self.headers.items() if name.lower() not in DROPPED_HEADERS}
        if "authorization" in kept:
            kept["authorization"] = "Bearer <key>"
        server = self.server
        if isinstance(server, Recorder):
            entry = {"call": call, "method": self.command, "path": "/" + rest, "headers": dict(sorted(kept.items()))}
            server.record({**entry, "body": body})
        return "/" + rest.removeprefix("v1/").partition("?")[0]

    def _answer(self, body: dict[str, Any], whole: dict[str, Any], events: list[dict[str, Any]], done: bool) -> None:
        if not body.get("stream"):
            self._send("application/json", json.dumps(whole).encode())
            return
        lines = [
            (f"event: {e['event']}\n" if "event" in e else "") + f"data: {json.dumps(e['data'])}\n\n" for e in events
        ]
        self._send("text/event-stream", ("".join(lines) + ("data: [DONE]\n\n" if done else "")).encode())

    def _send(self, media_type: str, payload: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8766)
    parser.add_argument("--client", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    Recorder(given.port, given.client, given.version, given.out).serve_forever()


if __name__ == "__main__":
    main()
