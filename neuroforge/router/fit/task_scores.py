"""Classes and outcomes -> mean score by task, shrunk where a task has few outcomes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.fit.labels import Classes

Floats = NDArray[np.float64]

SHRINKAGE = 5.0
"""Outcomes at a model's mean that each task and model gets on top of its own."""


class Tally(NamedTuple):
    """Sufficient statistics of outcomes by task, (n_tasks, n_models) each."""

    sums: Floats
    """Scores less the models' means, added up by how much a row belongs to the task."""
    counts: Floats


class TaskScores(NamedTuple):
    """Deviations from the models' means."""

    table: Floats
    """(n_tasks, n_models)."""
    left_out: Floats
    """(n, n_models): what the rows' task probabilities lead to, without the row's own outcomes."""


def shrunk_means(scores: Floats, is_known: NDArray[np.bool_]) -> Floats:
    """Return (n_models,): each model's mean, pulled to the mean of all by SHRINKAGE outcomes."""
    n_known = is_known.sum(axis=0)
    overall = (scores * is_known).sum() / is_known.sum()
    return np.asarray(((scores * is_known).sum(axis=0) + SHRINKAGE * overall) / (n_known + SHRINKAGE))


def tally(members: Floats, deviations: Floats, is_known: NDArray[np.bool_]) -> Tally:
    """Return the sums of rows of tasks `members`, (n, n_tasks); deviations are (n, n_models), 0 where unknown."""
    return Tally(members.T @ deviations, members.T @ is_known.astype(np.float64))


def fit_task_scores(classes: Classes, deviations: Floats, is_known: NDArray[np.bool_], others: Tally) -> TaskScores:
    """Return the table for scores less the models' means, (n, n_models), 0 where unknown; `others` count as well."""
    own_sums, own_counts = tally(classes.members, deviations, is_known)
    sums, counts = own_sums + others.sums, own_counts + others.counts + SHRINKAGE
    left_out = np.zeros(deviations.shape)
    for task in range(len(sums)):
        member = classes.members[:, task][:, None]
        without = (sums[task] - member * deviations * is_known) / (counts[task] - member * is_known)
        left_out += classes.probabilities[:, task][:, None] * without
    return TaskScores(sums / counts, left_out)
