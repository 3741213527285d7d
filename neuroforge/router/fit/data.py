"""Outcome file (Parquet or JSONL) -> OutcomeTable; every bad row is named, and no row of a bad file is used unasked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroforge.errors import DataError
from neuroforge.router.fit.parse import Row, parse_query, parse_row
from neuroforge.router.fit.rows import RowError, read_rows

MAX_NAMED = 5
"""Bad rows that an error describes; the others are only counted."""


@dataclass(frozen=True)
class OutcomeTable:
    """n questions with what each of the models got for them."""

    queries: tuple[str, ...]
    model_ids: tuple[str, ...]
    """Sorted."""
    scores: NDArray[np.float64]
    """(n, n_models), 0..1; 0 where unknown."""
    is_known: NDArray[np.bool_]
    """(n, n_models)."""
    costs_usd: NDArray[np.float64] | None
    """(n, n_models); a row's unknown costs are the model's mean. None = the file tells none for at least one model."""
    tasks: tuple[str | None, ...]
    """For training only."""

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: NDArray[np.intp]) -> "OutcomeTable":
        """Return these rows, in the order given."""
        return OutcomeTable(
            queries=tuple(self.queries[row] for row in rows),
            model_ids=self.model_ids,
            scores=self.scores[rows],
            is_known=self.is_known[rows],
            costs_usd=None if self.costs_usd is None else self.costs_usd[rows],
            tasks=tuple(self.tasks[row] for row in rows),
        )

    def select_models(self, model_ids: Sequence[str]) -> "OutcomeTable":
        """Return only these models' columns, in the order given, without rows that know none of them.

        Raises:
            DataError: A model is not in the file, or no row is left.
        """
        if missing := [model for model in model_ids if model not in self.model_ids]:
            raise DataError(f"no outcome of {', '.join(missing)} in the file; it has {', '.join(self.model_ids)}")
        columns = [self.model_ids.index(model) for model in model_ids]
        rows = np.flatnonzero(self.is_known[:, columns].any(axis=1))
        if not len(rows):
            raise DataError(f"no row has a score of {', '.join(model_ids)}")
        kept = self.take(rows)
        return OutcomeTable(
            queries=kept.queries,
            model_ids=tuple(model_ids),
            scores=kept.scores[:, columns],
            is_known=kept.is_known[:, columns],
            costs_usd=None if kept.costs_usd is None else kept.costs_usd[:, columns],
            tasks=kept.tasks,
        )


def read_outcomes(path: Path, *, skip_bad_rows: bool = False) -> OutcomeTable:
    """Return the file's rows; with `skip_bad_rows` the good ones of a file that has bad ones too.

    Format: `.parquet`, else JSON Lines. Columns `query` (text), `scores` {model: 0..1; null or absent = unknown;
    booleans count as 0 and 1}, optional `costs` {model: USD}, optional `task`; others are ignored.
    Raises:
        DataError: Not readable, no good row, or bad rows: names row (from 1) and column, and counts the good ones.
    """
    rows: list[Row] = []
    errors: list[RowError] = []
    for raw in read_rows(path, ("query", "scores", "costs", "task")):
        parsed = raw if isinstance(raw, RowError) else parse_row(raw)
        if isinstance(parsed, RowError):
            errors.append(parsed)
        else:
            rows.append(parsed)
    _check(path, len(rows), [] if skip_bad_rows and rows else errors)
    return build_table(rows)


def read_queries(path: Path) -> tuple[str, ...]:
    """Return the column `query` of a Parquet or JSONL file, in its order.

    Raises:
        DataError: As read_outcomes.
    """
    found = [raw if isinstance(raw, RowError) else parse_query(raw) for raw in read_rows(path, ("query",))]
    queries = tuple(query for query in found if isinstance(query, str))
    _check(path, len(queries), [error for error in found if isinstance(error, RowError)])
    return queries


def build_table(rows: Sequence[Row]) -> OutcomeTable:
    """Return the table of these rows; the models are all that any row scores."""
    model_ids = tuple(sorted({model for row in rows for model in row.scores}))
    column = {model: index for index, model in enumerate(model_ids)}
    shape = (len(rows), len(model_ids))
    scores, is_known, costs = np.zeros(shape), np.zeros(shape, dtype=bool), np.full(shape, np.nan)
    for index, row in enumerate(rows):
        for model, score in row.scores.items():
            scores[index, column[model]], is_known[index, column[model]] = score, True
        for model, cost in row.costs_usd.items():
            if model in column:
                costs[index, column[model]] = cost
    return OutcomeTable(
        queries=tuple(row.query for row in rows),
        model_ids=model_ids,
        scores=scores,
        is_known=is_known,
        costs_usd=_fill_costs(costs),
        tasks=tuple(row.task for row in rows),
    )


def _fill_costs(costs: NDArray[np.float64]) -> NDArray[np.float64] | None:
    is_given = ~np.isnan(costs)
    if not is_given.any(axis=0).all():
        return None
    means = np.where(is_given, costs, 0).sum(axis=0) / is_given.sum(axis=0)
    return np.where(is_given, costs, means)


def _check(path: Path, n_good: int, errors: Iterable[RowError]) -> None:
    bad = list(errors)
    if bad:
        named = "; ".join(f"row {error.row}, column {error.column!r}: {error.reason}" for error in bad[:MAX_NAMED])
        more = f"; and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        raise DataError(
            f"{path}: {len(bad)} bad rows, {n_good} good ones: {named}{more}", n_good=n_good, n_bad=len(bad)
        )
    if not n_good:
        raise DataError(f"{path}: no rows", n_good=0, n_bad=0)
