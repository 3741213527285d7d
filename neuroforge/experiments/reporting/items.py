"""Picked items -> their questions, right answers and every variant's replies, cut to what a page can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.experiments.item_lines import ITEMS_FILE, read_items
from neuroforge.experiments.reporting.contestants import Contestant
from neuroforge.experiments.reporting.pick import pick_items
from neuroforge.experiments.table import CellTable, read_cells, read_texts

MAX_QUESTION, MAX_REPLY = 3000, 1500
MAX_TEXT = 2_500_000
"""Characters of all items together."""


@dataclass(frozen=True)
class ReplyView:
    """One reply, or why there is none."""

    text: str
    verdict: str
    """Score with its reason, or the error."""
    answer: str | None
    """What the scorer read; None where that is the reply itself, or nothing."""
    is_error: bool


@dataclass(frozen=True)
class AnswerView:
    """What one variant made of an item."""

    contestant: Contestant
    score: float | None
    """Mean over repeats."""
    mark: str
    css: str
    replies: tuple[ReplyView, ...]
    """The best and the worst of several repeats."""
    n_repeats: int


@dataclass(frozen=True)
class ItemView:
    """One item."""

    dataset: str
    id: str
    task: str | None
    question: str
    references: tuple[str, ...]
    answers: tuple[AnswerView, ...]
    """In the contestants' order; variants that were not asked are absent."""


@dataclass(frozen=True)
class ItemList:
    """Those that are shown."""

    items: tuple[ItemView, ...]
    n_all: int


def load_items(results: MatrixResult, contestants: Sequence[Contestant]) -> ItemList:
    """Return the most telling items, fewer where their texts are long.

    Raises:
        DataError: Cells or items cannot be read.
    """
    table = read_cells(Path(results.cells), [one.id for one in results.plan.variants])
    picked = pick_items(table)
    cells = _shown_cells(table, picked)
    texts = read_texts(Path(results.cells), [table.cell_ids[cell] for found in cells.values() for cell in found])
    asked = {(table.items[item].dataset, table.items[item].id): item for item in picked}
    questions: dict[int, dict[str, Any]] = {}
    for _, line in read_items(Path(results.plan.directory) / ITEMS_FILE):
        if (item := asked.get((line["dataset"], line["id"]))) is not None:
            questions[item] = line
    scores = table.item_means(table.scores)
    counts = _count_repeats(table)
    shown: list[ItemView] = []
    n_characters = 0
    for item in picked:
        answers = tuple(
            _answer(one, scores[place], counts[place], table, cells[place], texts)
            for one in contestants
            if (place := (item, table.variant_ids.index(one.id))) in cells
        )
        view = _item(table, item, questions.get(item, {}), answers)
        n_characters += len(view.question) + sum(len(reply.text) for one in answers for reply in one.replies)
        if shown and n_characters > MAX_TEXT:
            break
        shown.append(view)
    return ItemList(tuple(shown), len(table.items))


def cut(text: str, most: int) -> str:
    """Return the text, or its beginning with how much is missing."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters)"


def _count_repeats(table: CellTable) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    counts = np.zeros((len(table.items), len(table.variant_ids)), dtype=np.int64)
    np.add.at(counts, (table.item_of, table.variant_of), 1)
    return counts


def _shown_cells(table: CellTable, picked: Sequence[int]) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return by item and variant the cell with the best score, and the one with the worst if that is another score."""
    found: dict[tuple[int, int], list[int]] = {}
    for cell in np.flatnonzero(np.isin(table.item_of, picked)).tolist():
        found.setdefault((int(table.item_of[cell]), int(table.variant_of[cell])), []).append(cell)

    def place(cell: int) -> float:
        return -1.0 if np.isnan(table.scores[cell]) else float(table.scores[cell])

    shown: dict[tuple[int, int], tuple[int, ...]] = {}
    for key, cells in found.items():
        best, worst = max(cells, key=place), min(cells, key=place)
        shown[key] = (best,) if place(best) == place(worst) else (best, worst)
    return shown


def _answer(
    contestant: Contestant, score: float, n_repeats: int, table: CellTable, cells: Sequence[int],
    texts: Mapping[str, Mapping[str, Any]],
) -> AnswerView:  # fmt: skip
    replies = tuple(_reply(table, cell, texts[table.cell_ids[cell]]) for cell in cells)
    mean = None if np.isnan(score) else float(score)
    mark, css = _mark(mean, all(one.is_error for one in replies))
    return AnswerView(contestant, mean, mark, css, replies, int(n_repeats))


def _reply(table: CellTable, cell: int, text: Mapping[str, Any]) -> ReplyView:
    if table.is_error[cell]:
        code = table.error_codes[cell]
        return ReplyView("", f"failed: {code}: {cut(text['error'] or 'no message', 300)}", None, is_error=True)
    reason = f": {cut(text['score_reason'], 300)}" if text["score_reason"] else ""
    score = "not scored" if np.isnan(table.scores[cell]) else f"score {table.scores[cell]:.3g}"
    answer = text["answer"]
    return ReplyView(
        text=cut(text["reply"] or "", MAX_REPLY) or "(empty)",
        verdict=score + reason,
        answer=None if answer is None or answer.strip() == (text["reply"] or "").strip() else cut(answer, 200),
        is_error=False,
    )


def _mark(score: float | None, is_error: bool) -> tuple[str, str]:
    """Return a sign that needs no colour, and the class of its colour."""
    if score is None:
        return ("failed", "failed") if is_error else ("?", "open")
    if score >= 1:
        return "✓", "right"
    return ("✗", "wrong") if score <= 0 else (f"{score:.2f}", "partly")


def _item(table: CellTable, item: int, line: Mapping[str, Any], answers: tuple[AnswerView, ...]) -> ItemView:
    told = table.items[item]
    before = "".join(f"[{one.get('role', '?')}] {one.get('content')}\n\n" for one in line.get("messages") or ())
    return ItemView(
        dataset=told.dataset,
        id=told.id,
        task=told.task,
        question=cut(before + str(line.get("query", "(its text is not among the items)")), MAX_QUESTION),
        references=tuple(cut(str(one), 300) for one in (line.get("references") or ())[:5]),
        answers=answers,
    )
