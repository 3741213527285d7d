"""The chat template inside a GGUF file, and how one that knows no tools learns them.

llama.cpp silently drops `tools` when the template has no place for them. Templates of the ChatML family can be given
one: for a conversation without tools the wrapped template renders exactly what the original does.
"""

import mmap
import struct
from pathlib import Path
from typing import Final

from neuroforge.errors import EngineError

TEMPLATE_KEY: Final = b"tokenizer.chat_template"
_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_SIZE_BY_TYPE = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each fixed-size GGUF value type. Source: the GGUF specification, version 3."""

_WITH_TOOLS: Final = r"""{%- set nf = namespace(has_tools=false) -%}
{%- if tools -%}{%- set nf.has_tools = true -%}{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'tool' or message.tool_calls -%}{%- set nf.has_tools = true -%}{%- endif -%}
{%- endfor -%}
{%- if nf.has_tools -%}
{{- '<|im_start|>system\n' -}}
{%- if messages and messages[0].role == 'system' -%}{{- messages[0].content + '\n\n' -}}{%- endif -%}
{%- if tools -%}
{{- 'You can call these functions, given as JSON schemas:\n<tools>' -}}
{%- for tool in tools -%}{{- '\n' + (tool | tojson) -}}{%- endfor -%}
{{- '\n</tools>\nTo call one, write a JSON object with its name and arguments inside tags:\n<tool_call>\n' -}}
{{- '{"name": <function name>, "arguments": <arguments as a JSON object>}\n</tool_call>' -}}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' -}}
{%- elif message.role == 'assistant' -%}
{{- '<|im_start|>assistant\n' -}}
{%- if message.content -%}{{- message.content -}}{%- endif -%}
{%- for call in message.tool_calls or [] -%}
{%- if message.content or not loop.first -%}{{- '\n' -}}{%- endif -%}
{{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' -}}
{{- (call.function.arguments | tojson) + '}\n</tool_call>' -}}
{%- endfor -%}
{{- '<|im_end|>\n' -}}
{%- elif not (loop.first and message.role == 'system') -%}
{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
{%- else -%}"""


def teach_tools(template: str) -> str | None:
    """Return the template with a branch for tools, or None where it has one or is not of the ChatML family."""
    if "tools" in template or "tool_calls" in template or "<|im_start|>" not in template:
        return None
    return _WITH_TOOLS + template + "{%- endif -%}"


def read_chat_template(path: Path) -> str | None:
    """Return the template in the file's header, None where it has none.

    Raises:
        EngineError: The file is no GGUF file, or its header is cut short.
    """
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _find_template(data)
        except (ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
            raise EngineError(f"{path.name} is no GGUF file, or its header is damaged") from error


def _find_template(data: mmap.mmap) -> str | None:
    if data[:4] != _MAGIC:
        raise ValueError("no GGUF magic")
    (n_entries,) = struct.unpack_from("<Q", data, 16)
    at = 24
    for _ in range(n_entries):
        key, at = _read_string(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        if key == TEMPLATE_KEY and kind == _STRING:
            return _read_string(data, at + 4)[0].decode()
        at = _skip_value(data, at + 4, kind)
    return None


def _read_string(data: mmap.mmap, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise ValueError("cut short")
    return data[at + 8 : end], end


def _skip_value(data: mmap.mmap, at: int, kind: int) -> int:
    if kind == _STRING:
        return _read_string(data, at)[1]
    if kind != _ARRAY:
        return at + _SIZE_BY_TYPE[kind]
    element_kind, n_elements = struct.unpack_from("<IQ", data, at)
    at += 12
    if element_kind in _SIZE_BY_TYPE:
        return int(at + _SIZE_BY_TYPE[element_kind] * n_elements)
    for _ in range(n_elements):
        at = _skip_value(data, at, element_kind)
    return at
