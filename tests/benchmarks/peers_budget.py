"""What both peers' scripts need: the job as it is read, the scorer, and a budget of calls on items.

Runs in the peers' environment, which has pydantic and not what NeuroForge needs; so only light modules are imported.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.scores import Score
from neuroforge.scoring.choice import score_choice
from neuroforge.scoring.normalized import score_normalized

SHARE_TO_TRAIN = 2 / 3
"""Of the items that a method is given; the others are its validation set."""


class Spent(BaseException):
    """The calls are used up. No `Exception`: optimisers take those for a wrong answer and go on."""


@dataclass(frozen=True)
class Job:
    """One run, as prompt_peers.py writes it."""

    seed: int
    n_calls: int
    instruction: str
    labels: tuple[str, ...]
    train: tuple[DatasetItem, ...]
    """In the order of the run's own draw."""
    test: tuple[DatasetItem, ...]
    url: str
    task_model: str
    proposer_model: str
    test_model: str

    @property
    def n_train(self) -> int:
        """How many of `train` are to learn from."""
        return round(len(self.train) * SHARE_TO_TRAIN)


@dataclass
class Purse:
    """Counts calls on items. `limit` None = no end."""

    limit: int | None
    n_calls: int = 0

    def spend(self) -> None:
        """Count one more. Raises Spent: there is none left."""
        if self.limit is not None and self.n_calls >= self.limit:
            raise Spent
        self.n_calls += 1


def read_job(text: str) -> Job:
    """Return the job of a JSON text."""
    given = json.loads(text)
    items = {name: tuple(map(DatasetItem.model_validate, given[name])) for name in ("train", "test")}
    return Job(**{**given, **items, "labels": tuple(given["labels"])})


def score_reply(item: DatasetItem, reply: str, labels: Sequence[str]) -> Score:
    """Return what a written reply is worth, to whoever's prompt it was.

    Of a task with labels a reply need only name the right one and no other: to be scored by the labels' probabilities
    is as lenient, and a small model rarely writes the label alone.
    """
    if item.labels or labels:
        return score_choice(reply, item.references, item.labels or labels, item.choices)
    assert item.scorer == "normalized", item.scorer
    return score_normalized(reply, item.references)


def main(run: Callable[[Job], tuple[dict[str, Any], Sequence[str], int]]) -> None:
    """Read the job that the first argument names, run it, and write what came of it to the second."""
    program, replies, n_calls = run(read_job(Path(sys.argv[1]).read_text(encoding="utf-8")))
    found = {"program": program, "replies": list(replies), "n_calls": n_calls}
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
