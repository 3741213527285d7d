"""Raw row -> Row, or what is wrong with it."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from neuroforge.router.fit.rows import RawRow, RowError


class Row(NamedTuple):
    """One question with its outcomes; unknown scores are absent."""

    query: str
    scores: dict[str, float]
    costs_usd: dict[str, float]
    task: str | None


def parse_row(raw: RawRow) -> Row | RowError:
    """Return the row, or the first thing that is wrong with it."""
    query = parse_query(raw)
    if isinstance(query, RowError):
        return query
    scores = _parse_numbers(raw, "scores", 1.0)
    if isinstance(scores, RowError):
        return scores
    if not scores:
        return RowError(raw.row, "scores", "missing: {model: 0..1} with at least one score is needed")
    costs = _parse_numbers(raw, "costs", math.inf)
    if isinstance(costs, RowError):
        return costs
    task = raw.values.get("task")
    if task is not None and not isinstance(task, str):
        return RowError(raw.row, "task", f"{_show(task)} is not text")
    return Row(query, scores, costs, task or None)


def parse_query(raw: RawRow) -> str | RowError:
    """Return the row's query, which must be text that is not blank."""
    query = raw.values.get("query")
    if query is None:
        return RowError(raw.row, "query", _why_no_text(raw))
    if not isinstance(query, str):
        return RowError(raw.row, "query", f"{_show(query)} is not text")
    return query if query.strip() else RowError(raw.row, "query", "empty")


def _why_no_text(raw: RawRow) -> str:
    """Of live traffic texts are kept at one record level only. An embedding does not stand in for them."""
    if not raw.values.get("decision_id"):
        return "missing"
    kept = "only its embedding" if raw.values.get("embedding") is not None else "no text"
    return (
        f"missing: {kept} was recorded of this request, and a fit reads its words and marks as well; with "
        "router.record: text later requests can be fitted on (data export --for-fit leaves the others out)"
    )


def _parse_numbers(raw: RawRow, column: str, upper: float) -> dict[str, float] | RowError:
    """Return {model: number} of a mapping (a JSON object, a Parquet struct or map), without its nulls."""
    mapping = raw.values.get(column)
    if mapping is None:
        return {}
    if isinstance(mapping, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in mapping):
        mapping = dict(mapping)
    if not isinstance(mapping, Mapping):
        return RowError(raw.row, column, f"{_show(mapping)} is not an object {{model: number}}")
    numbers: dict[str, float] = {}
    for model, value in mapping.items():
        if value is None:
            continue
        if not isinstance(value, (int, float)):
            return RowError(raw.row, f"{column}.{model}", f"{_show(value)} is not a number")
        if not 0 <= value <= upper or math.isinf(value):
            limits = "0..1" if upper == 1 else "0 or more, in USD"
            return RowError(raw.row, f"{column}.{model}", f"{value} is not {limits}")
        numbers[str(model)] = float(value)
    return numbers


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
