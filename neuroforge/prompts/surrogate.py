"""Fitness of a few programs on a few items -> what to expect of any: programs that share parts share evidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.program import program_id
from neuroforge.prompts.race import Fitness
from neuroforge.prompts.show import count_shown
from neuroforge.prompts.slots import COUNT
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.variance_components import fit_variances, root_of

Floats = NDArray[np.float64]
_NEAREST = "\0nearest"
"""Stands for examples that each question chooses."""
MOST_PROGRAMS = 400
"""The last so many are learned from: a fit takes time by their cube."""
_N_SWEEPS = 20
_SLOT, _COUNT, _SHOWN, _WAY, _WHOLE = 0.0008, 0.003, 0.0008, 0.01, 0.001
"""Variances of fitness before there is data: of one slot's values, of the number of demonstrations, of which ones, of
the way in which they are shown, and of what parts do not explain. All are learned, so that one slot may matter more
than all others together."""
_BEST_WAY, _ITS_WORTH, _EACH_DOUBLING = "nearest turns", 0.1, 0.03
"""What a nearest example as an earlier turn is worth before there is data, beside any other way of showing some or
none, and twice as many: about half of what they were worth on six tasks (docs/decisions/169)."""
_LEVEL = 0.25
"""Variance of the programs' common level, of which nothing is known beforehand."""
_LEAST_VARIANCE = 1e-4
_SHARED = 0.7
"""Of the noise's variance: what programs that are alike have in common on an item."""
_ABSENT = "\0absent"
"""In place of a slot that makes no difference."""


class Traits(NamedTuple):
    """What likeness between programs is told by."""

    id: str
    slots: tuple[Any, ...]
    """Values in the order of the space, the number of demonstrations left out; a mark where a slot makes no
    difference."""
    shown: frozenset[str]
    """The demonstrations' questions; of a pool a mark."""
    n_shown: int
    way: str
    """How examples are shown: none, or fixed or nearest ones in a style."""

    @property
    def known_worth(self) -> float:
        """Fitness beside others that is expected before there is data."""
        return _ITS_WORTH + _EACH_DOUBLING * math.log2(self.n_shown) if self.way == _BEST_WAY else 0.0


def traits_of(space: PromptSpace, program: PromptProgram) -> Traits:
    """Return the program's traits; worth keeping, as reading them takes longer than comparing them."""
    values = space.read(program)
    slots = tuple(
        values[slot.name] if slot.is_active(values) else _ABSENT for slot in space.slots if slot.name != COUNT
    )
    shown = {_NEAREST} if program.n_nearest is not None else {one.question for one in program.demonstrations}
    way = "none"
    if n_shown := count_shown(program):
        way = f"{'fixed' if program.n_nearest is None else 'nearest'} {program.style.demonstrations}"
    return Traits(program_id(program), slots, frozenset(shown), n_shown, way)


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process over programs; on the scale of fitness, less a constant that is the same for all."""

    known: tuple[Traits, ...]
    variances: Floats
    """(n_parts,), of the slots, then the number of demonstrations, which ones, the way, and the rest."""
    weights: Floats
    inverse: Floats
    is_informed: bool

    def expect(self, programs: Sequence[Traits]) -> Floats:
        """Return the posterior mean (n,) of the programs' true fitness."""
        return _known_worth(programs, self.is_informed) + self._covariance(programs, self.known) @ self.weights

    def draw(self, programs: Sequence[Traits], n_draws: int, rng: np.random.Generator) -> Floats:
        """Return (n_draws, n) joint draws from the posterior of the programs' true fitness."""
        # By a Cholesky root: eigenvectors of equal eigenvalues would turn with the last digit of a sum.
        root = root_of(self._posterior(programs))
        return self.expect(programs) + rng.standard_normal((n_draws, len(programs))) @ root.T

    def p_better(self, one: Traits, other: Traits) -> float:
        """Return the posterior probability that the one's true fitness is above the other's; .5 of one and the same."""
        if one.id == other.id:
            return 0.5
        difference = np.array([1.0, -1.0])
        variance = float(difference @ self._posterior([one, other]) @ difference)
        mean = float(difference @ self.expect([one, other]))
        return float(ndtr(mean / max(variance, _LEAST_VARIANCE) ** 0.5))

    def _posterior(self, programs: Sequence[Traits]) -> Floats:
        across = self._covariance(programs, self.known)
        return self._covariance(programs, programs) - across @ self.inverse @ across.T

    def _covariance(self, ones: Sequence[Traits], others: Sequence[Traits]) -> Floats:
        return np.asarray(np.tensordot(self.variances, _parts(ones, others), axes=1))


def fit_surrogate(
    programs: Sequence[Traits], fitness_by_id: Mapping[str, Fitness], is_informed: bool = True
) -> Surrogate | None:
    """Return what the measurements teach; None while fewer than two programs have any.

    A measurement counts as the item's own level plus the program's, plus noise: who saw harder items is not blamed.

    Args:
        programs: In the order in which they were made.
        fitness_by_id: Of each program, by item; items without a fitness are absent.
        is_informed: Whether what is known from other tasks counts before there is data; False = these items alone do.
    """
    known = tuple([one for one in programs if fitness_by_id.get(one.id)][-MOST_PROGRAMS:])
    if len(known) < 2:
        return None
    parts, prior = _parts(known, known), _prior(len(known[0].slots))
    likeness = np.tensordot(prior / prior.sum(), parts, axes=1)
    levels, noise = _two_way([fitness_by_id[one.id] for one in known], likeness)
    found = fit_variances(parts, prior, noise + _LEVEL, levels - _known_worth(known, is_informed))
    return Surrogate(known, found.variances, found.weights, found.inverse, is_informed)


def _prior(n_slots: int) -> Floats:
    return np.array([_SLOT] * n_slots + [_COUNT, _SHOWN, _WAY, _WHOLE])


def _known_worth(programs: Sequence[Traits], is_informed: bool) -> Floats:
    return np.array([one.known_worth if is_informed else 0.0 for one in programs])


def _two_way(fitness: Sequence[Fitness], likeness: Floats) -> tuple[Floats, Floats]:
    """Each program's level (n,), their mean 0, beside the items' (least squares), and their noise's covariance (n, n).

    Programs that are alike err alike on the same items: a block on which one of them is lucky flatters all.
    """
    places = {item: place for place, item in enumerate(dict.fromkeys(item for one in fitness for item in one))}
    rows = np.array([row for row, one in enumerate(fitness) for _ in one])
    columns = np.array([places[item] for one in fitness for item in one])
    values = np.array([value for one in fitness for value in one.values()])
    n_by_row, n_by_column = np.bincount(rows), np.bincount(columns)
    levels, items = np.zeros(len(fitness)), np.zeros(len(places))
    for _ in range(_N_SWEEPS):
        items = np.bincount(columns, values - levels[rows]) / n_by_column
        levels = np.bincount(rows, values - items[columns]) / n_by_row
        levels -= levels.mean()
    residuals = values - levels[rows] - items[columns]
    n_free = max(1, len(values) - len(levels) - len(items) + 1)
    variance = max(_LEAST_VARIANCE, float(residuals @ residuals) / n_free)
    has_seen = np.zeros((len(levels), len(items)))
    has_seen[rows, columns] = 1.0
    together = has_seen @ has_seen.T / np.outer(n_by_row, n_by_row)
    return levels, variance * (_SHARED * likeness * together + (1 - _SHARED) * np.diag(1 / n_by_row))


def _parts(ones: Sequence[Traits], others: Sequence[Traits]) -> Floats:
    """Prior correlation (n_parts, n, m) of what each part of two programs adds to their fitness."""
    n_slots = len(ones[0].slots)
    slots = [
        _codes([one.slots[place] for one in ones], [one.slots[place] for one in others]) for place in range(n_slots)
    ]
    n_left, n_right = (np.log2([1 + one.n_shown for one in side]) for side in (ones, others))
    near = np.exp(-((n_left[:, None] - n_right[None, :]) ** 2) / 2)
    way = _codes([one.way for one in ones], [one.way for one in others])
    same = _codes([one.id for one in ones], [one.id for one in others])
    return np.array([*slots, near, _overlap(ones, others), way, same], dtype=np.float64)


def _codes(left: Sequence[Any], right: Sequence[Any]) -> NDArray[np.bool_]:
    """Whether each value of the left (n,) equals each of the right (m,): (n, m)."""
    codes: dict[Any, int] = {}
    a, b = (np.array([codes.setdefault(one, len(codes)) for one in side]) for side in (left, right))
    return np.asarray(a[:, None] == b[None, :])


def _overlap(ones: Sequence[Traits], others: Sequence[Traits]) -> Floats:
    """Cosine between the sets of demonstrations; 1 between two programs without any."""
    nothing = frozenset({None})
    # Sorted: a set's own order differs from process to process, and so would the last digit of a sum.
    left, right = ([sorted(one.shown or nothing, key=str) for one in side] for side in (ones, others))
    places = {one: place for place, one in enumerate(dict.fromkeys(one for shown in (*left, *right) for one in shown))}

    def incidence(side: Sequence[Sequence[Any]]) -> Floats:
        found = np.zeros((len(side), len(places)))
        for row, shown in enumerate(side):
            found[row, [places[one] for one in shown]] = 1.0
        return np.asarray(found / np.sqrt(found.sum(axis=1, keepdims=True)))

    return incidence(left) @ incidence(right).T
