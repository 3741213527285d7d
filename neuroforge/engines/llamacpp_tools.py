"""A tool call that must happen: asked for as JSON by schema, given back as a tool call.

llama.cpp's `tool_choice: required` lets the model talk first, for ever if it likes, and it ignores the choice of one
function.
"""

import re
import secrets
from typing import Any, Final

from neuroforge.contracts.base import JsonObject
from neuroforge.errors import RequestError, UnsupportedParameter

_HEAD: Final = re.compile(r'\s*\{\s*"name"\s*:\s*"((?:[^"\\]|\\.)*)"\s*,\s*"arguments"\s*:\s*')
_DEFINITIONS = ("$defs", "definitions")


def forced_call(tools: list[JsonObject], choice: Any) -> JsonObject:
    """Return the JSON schema of one call of the chosen function, or of any.

    Raises:
        RequestError: A choice of a function that is not among the tools.
        UnsupportedParameter: Another kind of choice, or definitions of one name that differ between tools.
    """
    functions = [tool["function"] for tool in tools if tool.get("type") == "function"]
    if isinstance(choice, dict) and choice.get("type") == "function":
        name = (choice.get("function") or {}).get("name")
        functions = [function for function in functions if function["name"] == name]
        if not functions:
            raise RequestError("tool_choice names a function that is not in tools", param="tool_choice")
    elif choice != "required":
        raise UnsupportedParameter("tool_choice must be none, auto, required or one function", param="tool_choice")
    shared: JsonObject = {}
    calls = [_call_schema(function, shared) for function in functions]
    return (calls[0] if len(calls) == 1 else {"anyOf": calls}) | shared


def _call_schema(function: JsonObject, shared: JsonObject) -> JsonObject:
    """`shared` takes the definitions, since references look for them at the root."""
    arguments = dict(function.get("parameters") or {"type": "object"})
    for section in _DEFINITIONS:
        for name, definition in arguments.pop(section, {}).items():
            if shared.setdefault(section, {}).setdefault(name, definition) != definition:
                raise UnsupportedParameter(f"two tools define {name!r} differently", param="tools")
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


class ForcedCallReader:
    """Text of one forced call, piece by piece -> tool_calls deltas."""

    def __init__(self) -> None:
        self._text = ""
        self._is_named = False

    def feed(self, text: str) -> list[JsonObject]:
        """Return the deltas that this piece completes; the brace that may close the whole is held back."""
        self._text += text
        deltas: list[JsonObject] = []
        if not self._is_named:
            head = _HEAD.match(self._text)
            if head is None:
                return []
            self._is_named = True
            self._text = self._text[head.end() :]
            function = {"name": head[1], "arguments": ""}
            call_id = f"call_{secrets.token_hex(12)}"
            deltas.append({"index": 0, "id": call_id, "type": "function", "function": function})
        brace = self._text.rfind("}")
        ready = brace if brace >= 0 and self._text[brace:].strip() == "}" else len(self._text)
        if ready:
            deltas.append({"index": 0, "function": {"arguments": self._text[:ready]}})
            self._text = self._text[ready:]
        return deltas
