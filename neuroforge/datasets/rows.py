"""One row of a dataset, as users write it -> DatasetItem."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.datasets import CodeTests, DatasetItem
from neuroforge.contracts.scores import SCORER_NAMES, ScorerName
from neuroforge.datasets.prompt import LETTERS, render
from neuroforge.scoring.references import check_references

MAX_TOKENS_BY_SCORER: dict[ScorerName, int] = {
    "exact": 256,
    "normalized": 64,
    "numeric": 32,
    "choice": 16,
    "code": 512,
    "regex": 256,
    "json_schema": 512,
    "f1": 128,
    "rouge": 256,
    "bleu": 256,
    "embedding": 256,
    "function_call": 512,
    "refusal": 128,
    "judge": 512,
}
"""Small models ramble; an answer that needs more says so in `max_tokens`."""


_ROLES = ("system", "developer", "user", "assistant", "tool")
_OF_OBJECTS: tuple[ScorerName, ...] = ("json_schema", "function_call")
_GIVES_AWAY = {"reference", "tests"}
"""Columns that no prompt template sees, so that none shows a right answer by accident."""


class QuestionRow(Contract):
    """Columns of the user's file; every other column is an error that names the nearest."""

    id: str | None = Field(default=None, min_length=1)
    question: str | None = Field(default=None, min_length=1)
    """Rendered with context, choices and a line that says how to answer."""
    query: str | None = Field(default=None, min_length=1)
    """Instead of question: sent as it is."""
    messages: tuple[JsonObject, ...] = ()
    """The conversation before the question; without a question, its last user message is the question."""
    tools: tuple[JsonObject, ...] = ()
    """OpenAI tools that the model may call."""
    scorer: ScorerName | None = None
    """Without it: `code` where there are tests, `choice` where there are choices, `judge` without a reference."""
    context: str | None = None
    reference: tuple[str, ...] = ()
    """One right answer or several; with choices the letter or the text of one; a schema or a list of calls may be
    given as they are or as JSON."""
    choices: tuple[str, ...] = ()
    task: str | None = Field(default=None, min_length=1)
    unit: str | None = Field(default=None, min_length=1)
    tolerance: float | None = Field(default=None, ge=0)
    tests: str | None = None
    entry_point: str | None = None
    preamble: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    group: str | None = None
    paraphrase_of: str | None = Field(default=None, min_length=1)
    split: str | None = Field(default=None, min_length=1)

    @field_validator("reference", "choices", mode="before")
    @classmethod
    def _as_texts(cls, value: Any, known: ValidationInfo) -> Any:
        """One value or a list; numbers and booleans as they are written; a list of objects is one list of calls."""
        if value is not None and known.data.get("scorer", "") in (None, *_OF_OBJECTS):
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                value = (value,)
            values = value if isinstance(value, list | tuple) else (value,)
            value = [json.dumps(one, ensure_ascii=False) if isinstance(one, dict | list) else one for one in values]
        values = value if isinstance(value, list | tuple) else () if value is None else (value,)
        return tuple(_as_text(one) for one in values)

    @field_validator("messages", "tools", mode="before")
    @classmethod
    def _as_objects(cls, value: Any) -> Any:
        """CSV holds them as JSON."""
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("id", "group", "task", "paraphrase_of", "split", mode="before")
    @classmethod
    def _as_name(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _asks_once(self) -> "QuestionRow":
        asked = [one for one in (self.question, self.query) if one is not None]
        if len(asked) > 1 or not (asked or self.messages):
            raise ValueError("give one of question and query, or messages that end with a user's text")
        for number, message in enumerate(self.messages, start=1):
            if message.get("role") not in _ROLES:
                raise ValueError(f"message {number}: role must be one of {', '.join(_ROLES)}")
        if not asked and not _is_question(self.messages[-1]):
            raise ValueError("the last message must be the user's, with a text, where there is no question or query")
        if self.query is not None and self.context is not None:
            raise ValueError("context goes with question; put it into query yourself")
        return self


def _is_question(message: JsonObject) -> bool:
    content = message.get("content")
    return message["role"] == "user" and isinstance(content, str) and bool(content)


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def build_item(
    row: QuestionRow,
    dataset: str,
    default_scorer: ScorerName | None = None,
    extra_fields: Mapping[str, Any] | None = None,
) -> DatasetItem:
    """Return the item that the row describes.

    Args:
        extra_fields: The user's own columns, for prompt templates.
    Raises:
        ValueError: It cannot be scored; says why.
    """
    scorer = row.scorer or _implied(row) or default_scorer or (None if row.reference else "judge")
    if scorer is None:
        raise ValueError(f"scorer is missing: one of {', '.join(SCORER_NAMES)}")
    check_references(scorer, row.reference)
    labels, choices = _label(row.choices)
    is_last = row.question is None and row.query is None
    query = row.messages[-1]["content"] if is_last else row.query
    fields = {
        "query": query or render(row.question or "", scorer, row.context, labels, choices, row.preamble),
        "scorer": scorer,
        "references": _to_labels(row.reference, labels, choices) if scorer == "choice" else row.reference,
        "task": row.task,
        "group": row.group,
        "labels": labels,
        "choices": choices,
        "unit": row.unit,
        "tolerance": row.tolerance,
        "code": _code(row),
        "max_tokens": row.max_tokens or MAX_TOKENS_BY_SCORER[scorer],
    }
    begun = {"messages": row.messages[:-1] if is_last else row.messages, "tools": row.tools}
    fields |= {name: value for name, value in begun.items() if value}  # else the id would not be what it was
    shown = row.model_dump(exclude_defaults=True, exclude=_GIVES_AWAY) | dict(extra_fields or {})
    more = {"paraphrase_of": row.paraphrase_of, "split": row.split, "fields": shown}
    return DatasetItem.model_validate({**fields, **more, "id": row.id or _content_id(fields), "dataset": dataset})


def _implied(row: QuestionRow) -> ScorerName | None:
    if row.tests is not None:
        return "code"
    return "choice" if row.choices else None


def _code(row: QuestionRow) -> CodeTests | None:
    if row.tests is None:
        return None
    return CodeTests(tests=row.tests, entry_point=row.entry_point, preamble=row.preamble or "")


def _label(choices: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Letters; but yes/no and true/false are their own labels."""
    texts = tuple(one.strip() for one in choices)
    if len(texts) > len(LETTERS):
        raise ValueError(f"{len(texts)} choices; at most {len(LETTERS)} are possible")
    if len({one.casefold() for one in texts}) != len(texts):
        raise ValueError("two choices are the same")
    if {one.casefold() for one in texts} in ({"yes", "no"}, {"true", "false"}):
        return texts, texts
    return tuple(LETTERS[: len(texts)]), texts


def _to_labels(references: tuple[str, ...], labels: tuple[str, ...], choices: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for reference in references:
        wanted = reference.strip().casefold()
        by_text = [label for label, text in zip(labels, choices, strict=True) if text.casefold() == wanted]
        by_label = [label for label in labels if label.casefold() == wanted]
        if not by_text and not by_label:
            raise ValueError(f"reference {reference!r} is neither a choice nor one of {', '.join(labels)}")
        found.append((by_text or by_label)[0])
    return tuple(found)


def _content_id(fields: dict[str, Any]) -> str:
    """The same on every machine and for every order of the file."""
    plain = {name: value.model_dump() if isinstance(value, Contract) else value for name, value in fields.items()}
    text = json.dumps({name: plain[name] for name in sorted(plain) if name != "task"}, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
