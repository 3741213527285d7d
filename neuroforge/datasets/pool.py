"""Datasets -> questions -> what the router expects of every model on each: the pool that probes are chosen from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.datasets.ask import conversation_of
from neuroforge.datasets.fleet import JOURNAL, LabelPlan, load_items
from neuroforge.datasets.pipeline import Assets, Source
from neuroforge.datasets.sample import interleave, sample_stratified
from neuroforge.errors import DataError, EngineUnavailable

Floats = NDArray[np.float64]

MAX_POOL = 400
"""Questions that are compared with each other; each costs one decision without an answer."""


class Router(Protocol):
    """The client, as far as it is needed here."""

    def route(self, messages: list[JsonObject], model: str, **options: Any) -> Decision:
        """What the router would decide."""
        ...


@dataclass(frozen=True)
class Pool:
    """Questions in order, with what the router expects."""

    items: tuple[DatasetItem, ...]
    other_ids: tuple[str, ...]
    others: Floats
    """(n, n_others), predicted quality."""
    described: Floats
    """(n, n_tasks), task probabilities less an even share."""
    own: Floats
    """(n,), predicted quality of the model itself."""
    n_outcomes: float
    """Behind what is believed of the model."""

    def take(self, rows: NDArray[np.intp]) -> tuple[DatasetItem, ...]:
        """Return the questions of these rows."""
        return tuple(self.items[row] for row in rows)


def load_pool(sources: tuple[Source, ...], assets: Assets, seed: int) -> tuple[DatasetItem, ...]:
    """Return all sources' items, of more than MAX_POOL an even share.

    Raises:
        DataError: A dataset cannot be used.
    """
    label_plan = LabelPlan(sources, Path(JOURNAL), sample_seed=seed)
    datasets = load_items(label_plan, assets)
    n_each = MAX_POOL // max(len(datasets), 1)
    groups = [sample_stratified(one.items, n_each, seed) for one in datasets]
    return interleave(groups, seed)


def describe_pool(client: Router, items: Sequence[DatasetItem], model_id: str) -> Pool:
    """Return what the router expects of every model on each question; those that the model cannot take are left out.

    Raises:
        EngineUnavailable: The router cannot describe requests. DataError: There is nothing to compare the model with.
    """
    found: list[tuple[DatasetItem, dict[str, float], list[float]]] = []
    n_outcomes = 0.0
    for item in items:
        decision = client.route(conversation_of(item), model="auto", neuroforge={"route": {"explore": False}})
        if decision.profile is None:
            raise EngineUnavailable(
                f"the router cannot describe requests ({decision.reason}): it needs its embedder "
                "(neuroforge models pull potion-base-8m) and a second hosted model"
            )
        made = {one.model_id: one.prediction for one in decision.candidates if one.prediction is not None}
        if model_id in made:
            n_outcomes = made[model_id].n_outcomes
            shares = [decision.profile.probability_by_task[task] - 1.0 / len(TASK_TYPES) for task in TASK_TYPES]
            found.append((item, {name: one.quality for name, one in made.items()}, shares))
    known = set.intersection(*(set(quality) for _, quality, _ in found)) if found else set()
    other_ids = tuple(sorted(known - {model_id}))
    if not other_ids:
        raise DataError(f"there is no question that {model_id} and another hosted model could both answer")
    return Pool(
        items=tuple(item for item, _, _ in found),
        other_ids=other_ids,
        others=np.array([[quality[other] for other in other_ids] for _, quality, _ in found]),
        described=np.array([shares for _, _, shares in found]),
        own=np.array([quality[model_id] for _, quality, _ in found]),
        n_outcomes=n_outcomes,
    )
