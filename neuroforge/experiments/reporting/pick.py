"""Scores -> the items that tell most: those that part each two variants, both ways, and some that nobody solves."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from neuroforge.experiments.table import CellTable, Floats

MAX_ITEMS = 200
MAX_ANSWERS = 2400
"""Items x variants: what a phone still opens."""


def pick_items(table: CellTable) -> tuple[int, ...]:
    """Return rows of items, most telling first, as many as a report holds.

    Taken in turns from: wins of each variant over each other one (largest first), items that nobody solves, items with
    failed calls, items that everybody solves, so that the first few already show some of each. Ties by a fixed shuffle,
    for a dataset's first items are seldom its fairest sample.
    """
    shuffle = np.random.default_rng(0).permutation(len(table.items))
    scores = table.item_means(table.scores)[shuffle]
    n_most = min(MAX_ITEMS, max(1, MAX_ANSWERS // len(table.variant_ids)), len(scores))
    queues = [queue for queue in _queues(scores, _count_failed(table)[shuffle]) if queue]
    picked: dict[int, None] = {}
    while queues and len(picked) < n_most:
        for queue in queues:
            while queue and (item := queue.pop()) in picked:
                continue
            picked.setdefault(item)
            if len(picked) == n_most:
                break
        queues = [queue for queue in queues if queue]
    return tuple(int(shuffle[item]) for item in picked)


def _count_failed(table: CellTable) -> Floats:
    counts = np.zeros(len(table.items))
    np.add.at(counts, table.item_of[table.is_error], 1)
    return counts


def _queues(scores: Floats, failed: Floats) -> list[list[int]]:
    """Return lists to pop from: the most telling item of each is last."""
    leads = (scores[:, a] - scores[:, b] for a, b in permutations(range(scores.shape[1]), 2))
    known = ~np.isnan(scores)
    best = np.where(known, scores, -np.inf).max(axis=1)
    worst = np.where(known, scores, np.inf).min(axis=1)
    rest = np.flatnonzero(known.any(axis=1))
    return [
        *(_most_last(np.nan_to_num(lead, nan=0.0)) for lead in leads),
        list(reversed([int(item) for item in rest if best[item] <= 0])),
        _most_last(failed),
        list(reversed([int(item) for item in rest if worst[item] >= 1])),
        list(reversed([int(item) for item in rest if best[item] > 0 and worst[item] < 1])),
        list(reversed([int(item) for item in range(len(scores)) if not known[item].any()])),
    ]


def _most_last(values: Floats) -> list[int]:
    positive = np.flatnonzero(values > 0)
    order: Sequence[int] = positive[np.lexsort((-positive, values[positive]))].tolist()
    return list(order)
