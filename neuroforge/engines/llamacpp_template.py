"""How a chat template that knows no tools learns them.

llama.cpp silently drops `tools` when the template has no place for them. Templates of the ChatML family can be given
one: for a conversation without tools the wrapped template renders exactly what the original does.
"""

from typing import Final

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
