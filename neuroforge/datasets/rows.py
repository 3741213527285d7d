"""One row of a dataset, as users write it -> DatasetItem."""

import hashlib
import json
from typing import Any

from pydantic import Field, field_validator, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.datasets import CodeTests, DatasetItem
from neuroforge.contracts.scores import ScorerName
from neuroforge.datasets.prompt import LETTERS, render

MAX_TOKENS_BY_SCORER: dict[ScorerName, int] = {
    "exact": 256,
    "normalized": 64,
    "numeric": 32,
    "choice": 16,
    "code": 512,
}
"""Small models ramble; an answer that needs more says so in `max_tokens`."""


class QuestionRow(Contract):
    """Columns of the user's file; every other column is an error that names the nearest."""

    id: str | None = Field(default=None, min_length=1)
    question: str | None = Field(default=None, min_length=1)
    """Rendered with context, choices and a line that says how to answer."""
    query: str | None = Field(default=None, min_length=1)
    """Instead of question: sent as it is."""
    context: str | None = None
    reference: tuple[str, ...] = ()
    """One right answer or several; with choices the letter or the text of one."""
    choices: tuple[str, ...] = ()
    scorer: ScorerName | None = None
    """Without it: `code` where there are tests, `choice` where there are choices."""
    task: str | None = Field(default=None, min_length=1)
    unit: str | None = Field(default=None, min_length=1)
    tolerance: float | None = Field(default=None, ge=0)
    tests: str | None = None
    entry_point: str | None = None
    preamble: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    group: str | None = None

    @field_validator("reference", "choices", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        """One value or a list; numbers and booleans as they are written."""
        values = value if isinstance(value, list | tuple) else () if value is None else (value,)
        return tuple(_as_text(one) for one in values)

    @field_validator("id", "group", "task", mode="before")
    @classmethod
    def _as_name(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _asks_once(self) -> "QuestionRow":
        if (self.question is None) == (self.query is None):
            raise ValueError("give one of question and query")
        if self.query is not None and self.context is not None:
            raise ValueError("context goes with question; put it into query yourself")
        return self


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def build_item(row: QuestionRow, dataset: str, default_scorer: ScorerName | None = None) -> DatasetItem:
    """Return the item that the row describes.

    Raises:
        ValueError: It cannot be scored; says why.
    """
    scorer = row.scorer or _implied(row) or default_scorer
    if scorer is None:
        raise ValueError("scorer is missing: exact, normalized, numeric, choice or code")
    labels, choices = _label(row.choices)
    fields = {
        "query": row.query or render(row.question or "", scorer, row.context, labels, choices, row.preamble),
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
    return DatasetItem.model_validate({**fields, "id": row.id or _content_id(fields), "dataset": dataset})


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
