"""Task names of the file, or latent clusters of the questions -> classes, and how sure each row's class is."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from neuroforge.router.fit.design import Design, LinearHead
from neuroforge.router.fit.kernel import Points
from neuroforge.router.softmax import softmax

Floats = NDArray[np.float64]

MIN_ROWS, MAX_TASKS = 5, 64
"""A task with fewer rows, or beyond the most frequent ones, counts as unnamed."""
ROWS_A_CLUSTER, MAX_CLUSTERS, N_MOVES = 150, 16, 10
MAX_CLUSTERED = 50_000
"""Of more rows, so many at random move the clusters' centres."""
BLOCK = 8_192
PENALTIES = (0.1, 0.3, 1.0, 3.0)
MIXING_PENALTY = 0.01
TEMPERATURES = (0.03, 0.05, 0.07, 0.1, 0.13, 0.17, 0.22, 0.3, 0.5, 1.0)


class Labels(NamedTuple):
    """Classes of the training rows."""

    names: tuple[str, ...]
    members: Floats
    """(n, n_tasks): 1 in one column, or no 1 where the file names no task."""


class Classes(NamedTuple):
    """A classifier, and what it says of rows it was not trained on."""

    names: tuple[str, ...]
    head: LinearHead
    """softmax(head) are probabilities."""
    members: Floats
    """(n, n_tasks): the file's word, else the classifier's."""
    probabilities: Floats
    """(n, n_tasks): the classifier's."""


def label_rows(tasks: tuple[str | None, ...], points: Points, rng: np.random.Generator) -> Labels:
    """Return the file's tasks if it names at least two, else clusters of the questions, else one class."""
    counts = Counter(task for task in tasks if task is not None).most_common(MAX_TASKS)
    names = tuple(sorted(task for task, n_rows in counts if n_rows >= MIN_ROWS))
    if len(names) >= 2:
        return Labels(names, mark_members(tasks, names))
    n_clusters = min(max(len(points) // ROWS_A_CLUSTER, 1), MAX_CLUSTERS)
    nearest = _cluster(points, n_clusters, rng)
    return Labels(tuple(f"cluster-{index}" for index in range(n_clusters)), np.eye(n_clusters)[nearest])


def mark_members(tasks: Sequence[str | None], names: tuple[str, ...]) -> Floats:
    """Return (n, n_names): 1 in the column of a row's task, no 1 where it has another or none."""
    column = {name: index for index, name in enumerate(names)}
    members = np.zeros((len(tasks), len(names)))
    for row, task in enumerate(tasks):
        if task in column:
            members[row, column[task]] = 1
    return members


def fit_classes(design: Design, labels: Labels) -> Classes:
    """Return the classifier whose penalty and temperature give left-out rows' classes the highest likelihood."""
    is_named = np.asarray(labels.members.any(axis=1))
    targets = design.fill(labels.members, np.broadcast_to(is_named[:, None], labels.members.shape))
    in_sample = is_named[design.sample]
    truth = labels.members[design.sample[in_sample]]

    def loss(head: LinearHead, temperature: float) -> float:
        found = (softmax(head.left_out[in_sample] / temperature) * truth).sum(axis=1)
        return float(-np.log(found + 1e-6).mean())

    heads = design.solve(targets, PENALTIES)
    _, _, head, temperature = min(
        (loss(head, temperature), index, head, temperature)
        for index, head in enumerate(heads)
        for temperature in TEMPERATURES
    )
    sharpened = _sharpen(head, temperature, head.left_out[in_sample], truth)
    probabilities = softmax(design.apply(sharpened))
    members = np.where(is_named[:, None], labels.members, probabilities)
    return Classes(labels.names, sharpened, members, probabilities)


def _sharpen(head: LinearHead, temperature: float, margins: Floats, truth: Floats) -> LinearHead:
    """Return the head whose margins go through a softmax regression on left-out margins, pulled to the temperature.

    Least squares finds the classes; how surely a margin speaks for its class, or for one that is easily taken for it,
    differs from class to class.
    """
    n_tasks = truth.shape[1]
    start = np.eye(n_tasks) / temperature

    def loss(flat: Floats) -> tuple[float, Floats]:
        mixing, bias = flat[:-n_tasks].reshape(n_tasks, n_tasks), flat[-n_tasks:]
        found = softmax(margins @ mixing + bias)
        gap = found - truth
        moved = mixing - start
        value = -np.log((found * truth).sum(axis=1) + 1e-12).sum() + MIXING_PENALTY / 2 * (moved**2).sum()
        gradient = np.concatenate([(margins.T @ gap + MIXING_PENALTY * moved).ravel(), gap.sum(axis=0) + bias])
        return float(value + (bias**2).sum() / 2), gradient

    flat = minimize(loss, np.append(start.ravel(), np.zeros(n_tasks)), jac=True, method="L-BFGS-B").x
    mixing, bias = flat[:-n_tasks].reshape(n_tasks, n_tasks), flat[-n_tasks:]
    return LinearHead(
        weights=(head.weights @ mixing).astype(np.float32),
        bias=head.bias @ mixing + bias,
        left_out=head.left_out @ mixing + bias,
    )


def _cluster(points: Points, n_clusters: int, rng: np.random.Generator) -> NDArray[np.intp]:
    order = rng.permutation(len(points))
    centres, moving = points[order[:n_clusters]], points[np.sort(order[:MAX_CLUSTERED])]
    for _ in range(N_MOVES):
        nearest = _find_nearest(moving, centres)
        sizes = np.bincount(nearest, minlength=n_clusters)[:, None]
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, moving)
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
    return _find_nearest(points, centres)


def _find_nearest(points: Points, centres: Points) -> NDArray[np.intp]:
    """Return each row's nearest centre."""
    half = (centres**2).sum(axis=1) / 2
    blocks = [
        np.argmax(points[start : start + BLOCK] @ centres.T - half, axis=1) for start in range(0, len(points), BLOCK)
    ]
    return np.concatenate(blocks)
