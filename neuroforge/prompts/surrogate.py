"""Fitness of a few programs on a few items -> what to expect of any: programs that share parts share evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.program import program_id
from neuroforge.prompts.race import Fitness
from neuroforge.prompts.show import count_shown
from neuroforge.prompts.slots import COUNT
from neuroforge.prompts.space import PromptSpace

Floats = NDArray[np.float64]
_NEAREST = "\0nearest"
"""Stands for examples that each question chooses."""
MOST_PROGRAMS = 400
"""The last so many are learned from: a fit takes time by their cube."""
_N_SWEEPS = 20
_SLOTS, _COUNT, _SHOWN, _WHOLE = 0.45, 0.25, 0.1, 0.2
"""Shares of the prior variance: slots, number of demonstrations, which ones, and what parts do not explain."""
_SPREADS = (0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3)
"""Standard deviations of the programs' fitness that are tried; the likeliest is taken."""
_LEAST_VARIANCE = 1e-4
_SHARED = 0.7
"""Of the noise's variance: what programs that are alike have in common on an item."""


class Traits(NamedTuple):
    """What likeness between programs is told by."""

    id: str
    slots: tuple[Any, ...]
    """Values in the order of the space, the number of demonstrations left out."""
    shown: frozenset[str]
    """The demonstrations' questions; of a pool a mark."""
    n_shown: int


def traits_of(space: PromptSpace, program: PromptProgram) -> Traits:
    """Return the program's traits; worth keeping, as reading them takes longer than comparing them."""
    slots = tuple(slot.read(program) for slot in space.slots if slot.name != COUNT)
    shown = {_NEAREST} if program.n_nearest is not None else {one.question for one in program.demonstrations}
    return Traits(program_id(program), slots, frozenset(shown), count_shown(program))


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process over programs; on the scale of fitness, less a constant that is the same for all."""

    known: tuple[Traits, ...]
    spread: float
    factor: tuple[Floats, bool]
    weights: Floats

    def expect(self, programs: Sequence[Traits]) -> Floats:
        """Return the posterior mean (n,) of the programs' true fitness."""
        return np.asarray(self.spread**2 * _likeness(programs, self.known) @ self.weights)

    def draw(self, programs: Sequence[Traits], n_draws: int, rng: np.random.Generator) -> Floats:
        """Return (n_draws, n) joint draws from the posterior of the programs' true fitness."""
        across = self.spread**2 * _likeness(programs, self.known)
        covariance = self.spread**2 * _likeness(programs, programs) - across @ cho_solve(self.factor, across.T)
        return rng.multivariate_normal(across @ self.weights, covariance, n_draws, check_valid="ignore", method="eigh")


def fit_surrogate(programs: Sequence[Traits], fitness_by_id: Mapping[str, Fitness]) -> Surrogate | None:
    """Return what the measurements teach; None while fewer than two programs have any.

    A measurement counts as the item's own level plus the program's, plus noise: who saw harder items is not blamed.

    Args:
        programs: In the order in which they were made.
        fitness_by_id: Of each program, by item; items without a fitness are absent.
    """
    known = tuple([one for one in programs if fitness_by_id.get(one.id)][-MOST_PROGRAMS:])
    if len(known) < 2:
        return None
    likeness = _likeness(known, known)
    levels, noise = _two_way([fitness_by_id[one.id] for one in known], likeness)
    fits = [_fit(likeness, levels, noise, spread) for spread in _SPREADS]
    best = max(range(len(fits)), key=lambda place: fits[place][0])
    return Surrogate(known, _SPREADS[best], *fits[best][1:])


def _fit(likeness: Floats, levels: Floats, noise: Floats, spread: float) -> tuple[float, tuple[Floats, bool], Floats]:
    """Log marginal likelihood less a constant, the factored covariance, and what each level weighs."""
    factor = cho_factor(spread**2 * likeness + noise, lower=True)
    weights = cho_solve(factor, levels)
    return -0.5 * float(levels @ weights) - float(np.log(np.diag(factor[0])).sum()), factor, weights


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


def _likeness(ones: Sequence[Traits], others: Sequence[Traits]) -> Floats:
    """Prior correlation (n, m) of two programs' fitness, 1 of a program with itself."""
    alike = np.zeros((len(ones), len(others)))
    n_slots = len(ones[0].slots)
    for place in range(n_slots):
        alike += _codes([one.slots[place] for one in ones], [one.slots[place] for one in others])
    n_left, n_right = (np.log2([1 + one.n_shown for one in side]) for side in (ones, others))
    near = np.exp(-((n_left[:, None] - n_right[None, :]) ** 2) / 2)
    same = _codes([one.id for one in ones], [one.id for one in others])
    return _SLOTS * alike / n_slots + _COUNT * near + _SHOWN * _overlap(ones, others) + _WHOLE * same


def _codes(left: Sequence[Any], right: Sequence[Any]) -> NDArray[np.bool_]:
    """Whether each value of the left (n,) equals each of the right (m,): (n, m)."""
    codes: dict[Any, int] = {}
    a, b = (np.array([codes.setdefault(one, len(codes)) for one in side]) for side in (left, right))
    return np.asarray(a[:, None] == b[None, :])


def _overlap(ones: Sequence[Traits], others: Sequence[Traits]) -> Floats:
    """Cosine between the sets of demonstrations; 1 between two programs without any."""
    nothing = frozenset({None})
    left, right = ([one.shown or nothing for one in side] for side in (ones, others))
    places = {one: place for place, one in enumerate(dict.fromkeys(one for shown in (*left, *right) for one in shown))}

    def incidence(side: Sequence[frozenset[Any]]) -> Floats:
        found = np.zeros((len(side), len(places)))
        for row, shown in enumerate(side):
            found[row, [places[one] for one in shown]] = 1.0
        return np.asarray(found / np.sqrt(found.sum(axis=1, keepdims=True)))

    return incidence(left) @ incidence(right).T
