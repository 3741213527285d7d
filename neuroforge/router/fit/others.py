"""Rows of a large file that the regressions do not use -> what they add to the scores by task."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.features import FeatureMatrix
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.kernel import Kernel
from neuroforge.router.fit.labels import Classes, mark_members
from neuroforge.router.fit.task_scores import Tally, tally
from neuroforge.router.softmax import softmax

Floats = NDArray[np.float64]

MAX_FITTED = 200_000
"""Rows that teach the classifier and the regressions: of a larger file so many at random."""
BLOCK = 8_192


class Split(NamedTuple):
    """A file's rows by what they teach."""

    fitted: NDArray[np.intp]
    others: NDArray[np.intp]
    """Ascending both."""


def split_rows(n: int, rng: np.random.Generator) -> Split:
    """Return all of n rows as fitted, or MAX_FITTED at random and the others."""
    if n <= MAX_FITTED:
        return Split(np.arange(n), np.zeros(0, dtype=np.intp))
    order = rng.permutation(n)
    return Split(np.sort(order[:MAX_FITTED]), np.sort(order[MAX_FITTED:]))


def tally_rows(
    rows: NDArray[np.intp],
    table: OutcomeTable,
    features: FeatureMatrix,
    kernel: Kernel,
    classes: Classes,
    means: Floats,
) -> Tally:
    """Return these rows' sums by task, block by block: by the file's task, else by the classifier's probabilities."""
    shape = (len(classes.names), len(means))
    total = Tally(np.zeros(shape), np.zeros(shape))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        part = table.take(block)
        members = mark_members(part.tasks, classes.names)
        is_unnamed = ~members.any(axis=1)
        if is_unnamed.any():
            points = kernel.points(features.take(block[is_unnamed]))
            members[is_unnamed] = softmax(classes.head.apply(kernel.view(points, "whole")))
        found = tally(members, np.where(part.is_known, part.scores - means, 0), part.is_known)
        total = Tally(total.sums + found.sums, total.counts + found.counts)
    return total
