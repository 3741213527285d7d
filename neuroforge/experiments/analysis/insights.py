"""Quality by item -> Insight: how two models compare on each kind of task that the router knows."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from neuroforge.contracts.experiments import Variant
from neuroforge.contracts.rules import Insight
from neuroforge.contracts.tasks import TASK_TYPES, TaskType
from neuroforge.experiments.analysis.draws import make_rng
from neuroforge.experiments.analysis.metrics import UNIT, Metric
from neuroforge.experiments.table import Floats, Item
from neuroforge.statistics.large import quick_compare_paired

_ALIASES: dict[str, TaskType] = {
    "summarization": "summarisation",
    "qa": "knowledge",
    "truthfulness": "knowledge",
    "coding": "code",
    "maths": "math",
    "mathematics": "math",
    "function calling": "extraction",
    "function-calling": "extraction",
    "tools": "extraction",
    "safety": "chat",
    "writing": "creative",
}


def to_task_type(task: str | None) -> TaskType | None:
    """Return the router's word for a dataset's kind of task; None = it has none."""
    if task is None:
        return None
    word = task.strip().lower()
    return next((one for one in TASK_TYPES if one == word), _ALIASES.get(word))


def find_insights(
    quality: Metric, items: Sequence[Item], variants: Sequence[Variant], source: str, seed: int
) -> tuple[Insight, ...]:
    """Return how each two models compare over all tasks and on each one, the better of the two first.

    A model with several prompts or decoding settings is its mean over those that both answered, item by item. The last
    of all also comes first in one insight, so that a prior can be made for it. Pairs without two independent items in
    common are left out.

    Args:
        source: Id of the experiment.
    """
    model_ids = tuple(dict.fromkeys(one.model_id for one in variants))
    kinds = [to_task_type(item.task) for item in items]
    found: list[Insight] = []
    for task in (None, *(one for one in TASK_TYPES if one in kinds)):
        rows = np.array([task is None or kind == task for kind in kinds], dtype=np.bool_)
        own = [
            insight
            for a, b in combinations(model_ids, 2)
            for insight in _compare(quality, rows, variants, (a, b), (task, source, seed))
        ]
        leads = {one.model_id for one in own}
        for model_id in model_ids:
            last = next((one for one in own if one.other_model_id == model_id), None)
            if model_id not in leads and last is not None:
                own.extend(
                    _compare(quality, rows, variants, (model_id, last.model_id), (task, source, seed), keep=True)
                )
        found.extend(own)
    return tuple(found)


def _compare(
    quality: Metric, rows: np.ndarray[tuple[int], np.dtype[np.bool_]], variants: Sequence[Variant],
    pair: tuple[str, str], about: tuple[TaskType | None, str, int], *, keep: bool = False,
) -> Iterator[Insight]:  # fmt: skip
    """Yield one insight, turned so that the better model comes first unless `keep`; nothing without common items."""
    first, second = _paired_means(quality.values[rows], variants, *pair)
    clusters = quality.clusters[rows]
    both = ~np.isnan(first)
    if len(np.unique(clusters[both])) < 2:
        return
    first, second, (a, b) = first[both], second[both], pair
    if not keep and second.mean() > first.mean():
        first, second, a, b = second, first, b, a
    task, source, seed = about
    rng = make_rng(seed, "insight", task, *sorted(pair))
    result = quick_compare_paired(first, second, clusters[both], UNIT, rng=rng)
    yield Insight(
        model_id=a,
        other_model_id=b,
        task=task,
        difference=result.difference.estimate(),
        quality=min(1.0, max(0.0, float(first.mean()))),
        source=source,
    )


def _paired_means(values: Floats, variants: Sequence[Variant], a: str, b: str) -> tuple[Floats, Floats]:
    """Return (n_items,) of each model: mean over the settings that both answered; NaN where there is none."""
    columns = {(one.model_id, one.prompt, one.decoding): index for index, one in enumerate(variants)}
    settings = [key[1:] for key in columns if key[0] == a and (b, *key[1:]) in columns]
    first = values[:, [columns[a, *setting] for setting in settings]]
    second = values[:, [columns[b, *setting] for setting in settings]]
    both = ~np.isnan(first) & ~np.isnan(second)
    n = both.sum(axis=1)
    means = np.full((2, len(values)), np.nan)
    for row, one in enumerate((first, second)):
        np.divide(np.where(both, one, 0.0).sum(axis=1), n, out=means[row], where=n > 0)
    return means[0], means[1]
