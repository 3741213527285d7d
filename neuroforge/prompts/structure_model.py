"""Evaluated structures -> a posterior over what every other would get: a Gaussian process on slots, shared by tasks.

Its parts are the slots, their pairs, what a structure has beside them, and the items. The kernel of a slot sums to
zero over the slot's choices, so that the parts are the functional ANOVA of the whole, without sampling. Source:
Durrande et al. 2013, ANOVA kernels and RKHS of zero mean functions, JMVA 115.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroforge.prompts.variance_components import fit_variances, root_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NONE = -1
"""Code of a slot that makes no difference, or whose value is none of its choices."""
TASK_VARIANCE = 0.25
"""Of a task's mean: nothing is known of it beforehand."""
_PRIOR = {"slot": 0.0025, "pairs": 0.0025, "rest": 0.0005, "items": 0.01, "noise": 0.1}
"""Variances of scores in 0..1 before there is data: a choice is worth about .05. All are learned."""
_OTHERS = ("pairs", "rest", "items", "noise")
_KINSHIPS = (0.2, 0.5, 0.8, 0.95)
"""Correlations of two tasks' parts that are tried."""
_CENTRE = 0.5


@dataclass(frozen=True)
class Rows:
    """What was measured: one row a structure and block of items."""

    codes: Ints
    """(n, n_slots), place of each slot's value among its choices, or NONE."""
    tasks: Ints
    """(n,), 0 = this task, others are earlier ones."""
    blocks: Ints
    """(n,), the same number for the same items, over all tasks."""
    means: Floats
    """(n,), mean fitness, 0..1."""
    n_items: Floats
    """(n,), items behind each mean; > 0."""


@dataclass(frozen=True)
class Variances:
    """How much each part of the scores varies."""

    slots: Floats
    """(n_slots,), of each slot's choices."""
    pairs: float
    """Of all pairs of slots together."""
    rest: float
    """Of what slots and pairs do not explain of a structure."""
    items: float
    """Of blocks."""
    noise: float
    """Of one item."""
    kinship: float
    """Correlation of this task's parts with another's."""


@dataclass(frozen=True)
class StructureModel:
    """The posterior for task 0."""

    sizes: tuple[int, ...]
    """Choices of each slot."""
    rows: Rows
    variances: Variances
    alpha: Floats
    """(n,), inverse covariance of the rows times their means."""
    inverse: Floats
    """(n, n), inverse covariance of the rows."""

    @cached_property
    def reach(self) -> Floats:
        """(n,), how far each row speaks for task 0."""
        return np.where(self.rows.tasks == 0, 1.0, self.variances.kinship)

    def mean(self, codes: Ints) -> Floats:
        """Return (m,), the structures' expected fitness on items of average difficulty.

        Args:
            codes: (m, n_slots).
        """
        return np.asarray(self._across(codes) @ self.alpha + _CENTRE)

    def predict(self, codes: Ints) -> tuple[Floats, Floats]:
        """Return `mean` and its covariance (m, m)."""
        across = self._across(codes)
        prior = _structure(codes, codes, self.sizes, self.variances) + TASK_VARIANCE
        return across @ self.alpha + _CENTRE, prior - across @ self.inverse @ across.T

    def draw(self, codes: Ints, n: int, rng: np.random.Generator) -> Floats:
        """Return (n, m): n functions of the posterior at m structures."""
        mean, covariance = self.predict(codes)
        return mean + rng.standard_normal((n, len(mean))) @ root_of(covariance).T

    def _across(self, codes: Ints) -> Floats:
        """(m, n), covariance of task 0's structures with the rows."""
        structure = _structure(codes, self.rows.codes, self.sizes, self.variances)
        return np.asarray(structure * self.reach + TASK_VARIANCE * (self.rows.tasks == 0))


def fit_structure_model(rows: Rows, sizes: tuple[int, ...]) -> StructureModel:
    """Return the posterior, its variances learned from the rows (posterior mode), kinship by the evidence.

    Args:
        sizes: Choices of each slot.
    """
    if not len(rows.means):
        others = {name: _PRIOR[name] for name in _OTHERS}
        prior = Variances(np.full(len(sizes), _PRIOR["slot"]), **others, kinship=_KINSHIPS[0])
        return StructureModel(sizes, rows, prior, np.zeros(0), np.zeros((0, 0)))
    kinships = _KINSHIPS if (rows.tasks > 0).any() else _KINSHIPS[:1]
    fits = [_fit(rows, sizes, kinship) for kinship in kinships]
    return max(fits, key=lambda one: one[0])[1]


def slot_kernels(a: Ints, b: Ints, sizes: tuple[int, ...]) -> Floats:
    """Return (n_slots, len(a), len(b)): 1 on the same choice, so far below 0 on others that each slot sums to zero."""
    counts = np.array(sizes, dtype=np.float64)[:, None, None]
    left, right = a.T[:, :, None], b.T[:, None, :]
    known = (left != NONE) & (right != NONE) & (counts > 1)
    share = 1.0 / counts
    return np.where(known, ((left == right) - share) / np.maximum(1.0 - share, share), 0.0)


def _structure(a: Ints, b: Ints, sizes: tuple[int, ...], variances: Variances) -> Floats:
    """Covariance of structures of one task, without the task's mean."""
    kernels = slot_kernels(a, b, sizes)
    same = (a[:, None, :] == b[None, :, :]).all(axis=2)
    mains = np.tensordot(variances.slots, kernels, axes=1)
    return np.asarray(mains + variances.pairs * _pairs(kernels) + variances.rest * same)


def _pairs(kernels: Floats) -> Floats:
    """Mean over pairs of slots of the product of their kernels."""
    n_pairs = max(1, len(kernels) * (len(kernels) - 1) // 2)
    return np.asarray((kernels.sum(axis=0) ** 2 - (kernels**2).sum(axis=0)) / 2.0 / n_pairs)


def _fit(rows: Rows, sizes: tuple[int, ...], kinship: float) -> tuple[float, StructureModel]:
    """Log evidence and posterior."""
    kernels = slot_kernels(rows.codes, rows.codes, sizes)
    same_task = rows.tasks[:, None] == rows.tasks[None, :]
    reach = np.where(same_task, 1.0, kinship)
    same = (rows.codes[:, None, :] == rows.codes[None, :, :]).all(axis=2)
    items = rows.blocks[:, None] == rows.blocks[None, :]
    parts = np.concatenate(
        [kernels * reach, [_pairs(kernels) * reach, same * reach, items.astype(float), np.diag(1.0 / rows.n_items)]]
    )
    prior = np.array([_PRIOR["slot"]] * len(sizes) + [_PRIOR[name] for name in _OTHERS])
    found, evidence, alpha, inverse = fit_variances(parts, prior, TASK_VARIANCE * same_task, rows.means - _CENTRE)
    slots, (pairs, rest, per_items, noise) = found[: len(sizes)], found[len(sizes) :].tolist()
    return evidence, StructureModel(
        sizes, rows, Variances(slots, pairs, rest, per_items, noise, kinship), alpha, inverse
    )
