"""A reply, or its tool_calls -> the function calls in it."""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neuroforge.contracts.base import JsonObject

_TAGGED = re.compile(r"<(tool_call|function_call)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_FENCED = re.compile(r"```+[ \t]*(?:json|python|tool_code)?[ \t]*\n(.*?)(?:```+|\Z)", re.DOTALL)
_MAX_REPLY_CHARS = 50_000


@dataclass(frozen=True)
class FunctionCall:
    """One call that a model made."""

    name: str
    arguments: dict[str, Any]


def read_calls(reply: str, tool_calls: Sequence[JsonObject] = ()) -> list[FunctionCall]:
    """Return the calls in their order; none if the model only talked.

    OpenAI's tool_calls come first. Without them the text is read, for models that have no way of their own to call:
    JSON (one call or a list, `name` with `arguments` or `parameters`) or Python (`[f(a=1), g(b="x")]`), as the whole
    reply, in <tool_call> tags or in code blocks.

    Raises:
        ValueError: There is a call whose arguments are not a JSON object.
    """
    if tool_calls:
        return [_from_json(one) for one in tool_calls]
    text = reply.strip()[:_MAX_REPLY_CHARS]
    tagged = [match[2] for match in _TAGGED.finditer(text)]
    pieces = tagged or [match[1] for match in _FENCED.finditer(text)] or [text]
    return [call for piece in pieces for call in _read(piece.strip())]


def canonical(calls: Sequence[FunctionCall]) -> str:
    """Return the calls as JSON in which the same calls are the same text."""
    told = [{"name": one.name, "arguments": one.arguments} for one in calls]
    return json.dumps(told, sort_keys=True, ensure_ascii=False)


def _read(text: str) -> list[FunctionCall]:
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return _from_python(text)
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, dict) and _is_call(one) for one in values):
        return []
    return [_from_json(one) for one in values]


def _is_call(value: JsonObject) -> bool:
    inner = value.get("function", value)
    return isinstance(inner, dict) and isinstance(inner.get("name"), str)


def _from_json(call: JsonObject) -> FunctionCall:
    inner = call.get("function", call)
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise ValueError("a call without a function's name")  # noqa: TRY004 - a fault of the reply, not of our types
    name = inner["name"]
    arguments = inner.get("arguments", inner.get("parameters", {}))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"the arguments of {name} are not JSON") from error
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {name} are not an object")  # noqa: TRY004
    return FunctionCall(name, arguments)


def _from_python(text: str) -> list[FunctionCall]:
    """Calls with constant keyword arguments, read and never run."""
    try:
        body = ast.parse(text, mode="eval").body
        nodes = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
        return [_from_node(node) for node in nodes]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _from_node(node: ast.expr) -> FunctionCall:
    if not isinstance(node, ast.Call) or node.args or any(one.arg is None for one in node.keywords):
        raise ValueError("not a call by keywords")
    if not isinstance(node.func, ast.Name | ast.Attribute):
        raise ValueError("not the name of a function")  # noqa: TRY004
    arguments = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
    return FunctionCall(ast.unparse(node.func), json.loads(json.dumps(arguments)))
