"""The user's own columns -> ours, by templates; the rest is for prompt templates."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuroforge.datasets.rows import QuestionRow
from neuroforge.datasets.template import fill_in, names_in
from neuroforge.errors import DataError

FieldTemplate = str | Sequence[str]
"""A template over the user's columns, or one for each element of a list."""
_BARE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OURS = frozenset(QuestionRow.model_fields)


@dataclass(frozen=True)
class RowMapping:
    """How rows become ours.

    Without `fields` a row has our columns and those that prompt templates name; any other is an error, since it may be
    one of ours, misspelt. With `fields` only what it maps is ours, and every column may be named.
    """

    fields: Mapping[str, FieldTemplate] = field(default_factory=dict)
    """By our column; such as {"question": "{{ Frage }}", "choices": ["{{ A }}", "{{ B }}"]}. A column that stands
    alone keeps its type, so that lists and numbers come through."""
    named: frozenset[str] = frozenset()
    """Variables of the prompt templates."""

    def __post_init__(self) -> None:
        """Refuse what can be refused without a row.

        Raises:
            DataError: A column that is none of ours, with the nearest; a template that is none.
        """
        for column, source in self.fields.items():
            if column not in _OURS:
                near = difflib.get_close_matches(column, _OURS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(_OURS))}"
                raise DataError(f"fields: {column!r} is no column of a question; {hint}")
            for one in [source] if isinstance(source, str) else source:
                names_in(one)

    def apply(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return our columns, and what prompt templates may name.

        Raises:
            DataError: A column is missing; says which and for what.
        """
        if self.fields:
            return self._mapped(row), dict(row)
        extra = {name: value for name, value in row.items() if name in self.named and name not in _OURS}
        return {name: value for name, value in row.items() if name not in extra}, extra

    def _mapped(self, row: Mapping[str, Any]) -> dict[str, Any]:
        known = {"row": row, **row}
        found: dict[str, Any] = {}
        for column, source in self.fields.items():
            where = f"column {column}"
            value = (
                _fill(source, known, where)
                if isinstance(source, str)
                else [one for one in (_fill(part, known, where) for part in source) if one != ""]
            )
            if value not in ("", None, []):
                found[column] = value
        return found


def _fill(source: str, known: Mapping[str, Any], where: str) -> Any:
    bare = _BARE.fullmatch(source.strip())
    if bare is not None and bare[1] in known:
        return known[bare[1]]
    return fill_in(source, known, where)
