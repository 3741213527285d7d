"""Text, YAML -> PromptProgram, and back; what differs between two programs; a program's id."""

import difflib
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.datasets.template import names_in
from neuroforge.errors import DataError
from neuroforge.prompts.render import to_text

QUESTION_VARIABLES = ("query", "question", "input", "text")
"""Names by which a seed prompt may call the question: the first of them that it uses."""
ID_DIGITS = 16
_YOUNGER = ("n_nearest", "chat_template")
"""Fields that ids from before do not count."""
MAX_LISTED = 64
"""Examples that came, and that went, which a comparison lists."""


def program_id(program: PromptProgram) -> str:
    """Return the same 16 hexadecimal digits for the same program, on every machine."""
    content = program.model_dump(mode="json")
    for name in _YOUNGER:
        if content[name] == PromptProgram.model_fields[name].default:
            del content[name]
    for one in content["demonstrations"]:
        del one["group"]  # of its item, and younger too
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def program_of_text(text: str) -> PromptProgram:
    """Return the program that renders to this prompt; what stands after the question becomes the answer cue.

    Args:
        text: Names the question as `{{ query }}` (or question, input, text); the last place counts.
    Raises:
        DataError: It is empty, no template, or does not say where the question goes.
    """
    if not text.strip():
        raise DataError("the prompt is empty")
    names = names_in(text)
    variable = next((one for one in QUESTION_VARIABLES if one in names), None)
    if variable is None:
        raise DataError(
            "the prompt does not say where the question goes: put {{ query }} in its place"
            + (f" (it names {', '.join(sorted(names))})" if names else "")
        )
    start, end = _last_place(text, variable)
    before, after = text[:start].strip(), text[end:].strip()
    if any(sign in part for part in (before, after) for sign in ("{{", "{%", "{#")):
        # Sections are text, in which these would be shown as they are written.
        return PromptProgram(input_template=text.strip())
    return PromptProgram(instruction=before, input_template=text[start:end], answer_cue=after or None)


def to_yaml(program: PromptProgram) -> str:
    """Return the program as YAML that people edit: only what is not the default."""
    content = program.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def from_yaml(text: str, where: str = "program") -> PromptProgram:
    """Read `to_yaml`'s text.

    Raises:
        DataError: It is no YAML mapping, or a key or value cannot be; names the path.
    """
    try:
        content: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DataError(f"{where}: a program is a mapping, for example `instruction: Translate into French.`")
    try:
        return PromptProgram.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        near = difflib.get_close_matches(path, PromptProgram.model_fields, n=1)
        hint = f"; did you mean {near[0]}?" if first["type"] == "extra_forbidden" and near else ""
        told = str(first["msg"]).removeprefix("Value error, ")
        raise DataError(f"{where}: {f'{path}: ' if path else ''}{told}{hint}") from error


def load_program(path: Path) -> PromptProgram:
    """Read a program from YAML, or, of any other ending, a seed prompt as text.

    Raises:
        DataError: The file cannot be read, or as `from_yaml`, `program_of_text`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return from_yaml(text, str(path)) if path.suffix in (".yaml", ".yml") else program_of_text(text)


def diff_programs(old: PromptProgram, new: PromptProgram) -> tuple[str, ...]:
    """Return what differs, a line a field: `instruction: 'a' -> 'b'`; demonstrations by what came and went."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    lines: list[str] = []
    for name in PromptProgram.model_fields:
        if before[name] == after[name]:
            continue
        if name in ("demonstrations", "constraints"):
            lines += _diff_lists(name, before[name], after[name])
        elif isinstance(before[name], dict):
            keys = [*before[name], *(key for key in after[name] if key not in before[name])]
            lines += [
                f"{name}.{key}: {before[name].get(key)!r} -> {after[name].get(key)!r}"
                for key in keys
                if before[name].get(key) != after[name].get(key)
            ]
        else:
            lines.append(f"{name}: {before[name]!r} -> {after[name]!r}")
    return tuple(lines)


def diff_texts(old: PromptProgram, new: PromptProgram) -> str:
    """Return the unified diff of what both render to."""
    left, right = to_text(old).splitlines(keepends=True), to_text(new).splitlines(keepends=True)
    return "".join(difflib.unified_diff(left, right, "before", "after"))


def _diff_lists(name: str, before: list[Any], after: list[Any]) -> list[str]:
    gone = [f"{name}: - {_brief(one)}" for one in before if one not in after]
    come = [f"{name}: + {_brief(one)}" for one in after if one not in before]
    changes = [*_first(gone, f"{name}: -"), *_first(come, f"{name}: +")]
    return changes or [f"{name}: another order"]


def _first(lines: list[str], sign: str) -> list[str]:
    """A pool of examples would fill pages."""
    n_more = len(lines) - MAX_LISTED
    return lines if n_more <= 0 else [*lines[:MAX_LISTED], f"{sign} {n_more} more"]


def _brief(one: Any) -> str:
    text = one if isinstance(one, str) else f"{one['question']} => {one['answer']}"
    flat = " ".join(text.split())
    return flat if len(flat) <= 100 else f"{flat[:97]}..."


def _last_place(text: str, variable: str) -> tuple[int, int]:
    """Where the last `{{ ... }}` that names the variable begins and ends."""
    end = len(text)
    while (start := text.rfind("{{", 0, end)) >= 0:
        close = text.find("}}", start)
        if close >= 0 and variable in names_in(text[start : close + 2]):
            return start, close + 2
        end = start
    raise DataError(f"the question ({variable}) stands inside a statement: put {{{{ {variable} }}}} in its place")
