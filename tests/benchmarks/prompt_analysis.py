"""Rows of the field -> mean scores, differences with intervals, and the table of docs/BENCHMARKS.md.

Tasks are fixed; items are resampled within each task; seeds are repeats, so their mean is taken for each item. Only
tasks and seeds that both methods have are compared. Each is tested as it is served: peers by what the model writes,
ours by the most probable label where a task has labels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figures import Figure, at_least
from tests.benchmarks.prompt_rows import BY_REPLIES, Row, replied

OURS, SEED = "NeuroForge", "seed prompt"
FIRST = (SEED, "best of the bank", "random search")
"""What the interval of the difference must be above; of every other method only the mean."""
N_RESAMPLES = 10_000
Floats = NDArray[np.float64]


def figures_of(rows: Sequence[Row]) -> list[Figure]:
    """Return the mean of each method, ours less each other's with its 95 % interval, and ours by task."""
    figures: list[Figure] = []
    methods = list(dict.fromkeys(one.method for one in rows))
    for method in methods:
        theirs = [one for one in rows if one.method == method]
        n_tasks = len({one.task for one in theirs})
        name = f"{method}: mean test score, {n_tasks} tasks, {len(theirs)} runs"
        figures.append(Figure(name, _mean_of_tasks(theirs), ""))
    for method in methods:
        if method not in (OURS, *map(replied, BY_REPLIES)):
            figures += _against(rows, method)
    for task, differences in paired(rows, OURS, SEED).items():
        mean, low, high = interval([differences])
        name = f"{task}: {OURS} less {SEED}"
        figures += [Figure(name, mean, ""), Figure("    95 % interval, lower end", low, "")]
        figures.append(at_least("    upper end", high, "", 0.0))
    return figures


def _against(rows: Sequence[Row], method: str) -> list[Figure]:
    pairs = paired(rows, OURS, method)
    if not pairs:
        return []
    mean, low, high = interval(list(pairs.values()))
    name, lower = f"{OURS} less {method}, mean of {len(pairs)} tasks", "    95 % interval, lower end"
    if method in FIRST:
        return [Figure(name, mean, ""), above(lower, low, 0.0), Figure("    upper end", high, "")]
    return [above(name, mean, 0.0), Figure(lower, low, ""), Figure("    upper end", high, "")]


def above(name: str, value: float, limit: float) -> Figure:
    """A figure that must be more than the limit."""
    return Figure(name, value, "", f"> {limit:g}", value > limit)


def paired(rows: Sequence[Row], one: str, other: str) -> dict[str, Floats]:
    """Return for each task the items' differences (n_items,), each the mean over seeds that both have."""
    scores = {(row.task, row.method, row.seed): np.array([int(digit) for digit in row.scores]) for row in rows}
    found = {}
    for task in dict.fromkeys(row.task for row in rows):
        seeds = [row.seed for row in rows if (row.task, row.method) == (task, one)]
        both = [seed for seed in seeds if (task, other, seed) in scores]
        if both:
            found[task] = np.mean([scores[task, one, seed] - scores[task, other, seed] for seed in both], axis=0)
    return found


def interval(differences: Sequence[Floats]) -> tuple[float, float, float]:
    """Return the mean over tasks and its 95 % percentile interval, items resampled within each task."""
    rng = np.random.default_rng(0)
    means = np.zeros(N_RESAMPLES)
    for one in differences:
        drawn = rng.integers(0, len(one), size=(N_RESAMPLES, len(one)))
        means += one[drawn].mean(axis=1) / len(differences)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean([one.mean() for one in differences])), float(low), float(high)


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write a line a method: its score on each task (mean over seeds), and what a run took."""
    tasks = list(dict.fromkeys(one.task for one in rows))
    lines = [
        f"| method | {' | '.join(tasks)} | runs | metric calls | prompt tokens | proposer calls | tokens of the test |",
        f"|{'---|' * (len(tasks) + 6)}",
    ]
    for method in dict.fromkeys(one.method for one in rows):
        theirs = [one for one in rows if one.method == method]
        scores = []
        for task in tasks:
            found = [one.score for one in theirs if one.task == task]
            scores.append(f"{np.mean(found):.3f}" if found else "-")
        took = [
            f"{np.mean([getattr(one, name) for one in theirs]):,.0f}"
            for name in ("n_calls", "n_prompt_tokens", "n_proposer_calls", "n_test_tokens")
        ]
        lines.append(f"| {method} | {' | '.join(scores)} | {len(theirs)} | {' | '.join(took)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _mean_of_tasks(rows: Sequence[Row]) -> float:
    tasks = dict.fromkeys(one.task for one in rows)
    return float(np.mean([np.mean([one.score for one in rows if one.task == task]) for task in tasks]))
