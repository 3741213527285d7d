"""Structures tried so far -> the next ones: a strategy offers, the model picks by Thompson sampling."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.prompts.structure_model import NONE, Floats, Ints, StructureModel
from neuroforge.prompts.structure_state import StructureStrategy
from neuroforge.prompts.structures import StructureSpace

if TYPE_CHECKING:
    import optuna

_OFFERS_A_PLACE = 3
"""Structures that a strategy offers for each that is tried."""
_FEWEST_TRIED = 10
"""Below which strategies have nothing to go by, and offer random structures."""
_POPULATION, _TOURNAMENT = 24, 5
"""Youngest structures that may be parents, and how many compete to be one."""
_MOST_CLIMBS = 30


class Tried(NamedTuple):
    """Structures in the order in which they were tried."""

    codes: Ints
    """(n, n_slots)."""
    values: Floats
    """(n,), what the model thinks of them: block difficulty and noise taken out."""


class Proposal(NamedTuple):
    """A structure to try."""

    codes: Ints
    """(n_slots,)."""
    operator: str
    parent: int | None
    """Place among the tried of the one that it was made of."""


Offer = tuple[Ints, int | None]
Strategy = Callable[[Tried, StructureSpace, int, np.random.Generator], list[Offer]]


def offer_by_tpe(tried: Tried, structures: StructureSpace, n: int, rng: np.random.Generator) -> list[Offer]:
    """Return n draws of Optuna's tree-structured Parzen estimator; slots that make no difference are not asked.

    The study lives in memory and is rebuilt from what was tried, so that a search that goes on draws the same.
    Source: Bergstra et al. 2011, NeurIPS.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds: dict[str, optuna.distributions.BaseDistribution] = {
        slot.name: optuna.distributions.CategoricalDistribution(tuple(range(size)))
        for slot, size in zip(structures.slots, structures.sizes, strict=True)
    }
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)), n_startup_trials=_FEWEST_TRIED)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for codes, value in zip(tried.codes.tolist(), tried.values.tolist(), strict=True):
        params = {name: code for name, code in zip(kinds, codes, strict=True) if code != NONE}
        distributions = {name: kinds[name] for name in params}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=value))
    return [(_suggest(study.ask(), structures), None) for _ in range(n)]


def offer_by_evolution(tried: Tried, structures: StructureSpace, n: int, rng: np.random.Generator) -> list[Offer]:
    """Return n mutations of one slot each, of winners of tournaments among the youngest structures.

    Source: Real et al. 2019, Regularized evolution for image classifier architecture search, AAAI.
    """
    if len(tried.values) < _FEWEST_TRIED:
        return [(one, None) for one in structures.draw(n, rng)]
    youngest = np.arange(len(tried.values))[-_POPULATION:]
    found: list[Offer] = []
    for _ in range(n):
        rivals = rng.choice(youngest, size=min(_TOURNAMENT, len(youngest)), replace=False)
        parent = int(rivals[np.argmax(tried.values[rivals])])
        around = structures.neighbours(tried.codes[parent])
        found.append((around[int(rng.integers(len(around)))], parent))
    return found


STRATEGIES: Mapping[StructureStrategy, Strategy] = {"tpe": offer_by_tpe, "regularized_evolution": offer_by_evolution}


def propose(
    strategy: StructureStrategy,
    model: StructureModel,
    tried: Tried,
    structures: StructureSpace,
    n: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    """Return at most n structures that were not tried: the model's own favourite, and the best of n draws of it."""
    offers = STRATEGIES[strategy](tried, structures, n * _OFFERS_A_PLACE, rng)
    fresh = {tuple(codes.tolist()): (codes, parent) for codes, parent in offers}
    for codes in tried.codes.tolist():
        fresh.pop(tuple(codes), None)
    found = []
    if len(tried.values):
        favourite = climb(model, structures, tried.codes[int(np.argmax(tried.values))])
        if not (tried.codes == favourite).all(axis=1).any():
            fresh.pop(tuple(favourite.tolist()), None)
            found.append(Proposal(favourite, "surrogate", int(np.argmax(tried.values))))
    pool = list(fresh.values())
    if pool:
        drawn = model.draw(np.array([codes for codes, _ in pool]), n, rng)
        found += [Proposal(pool[place][0], strategy, pool[place][1]) for place in best_of_each(drawn)]
    return found[:n]


def climb(model: StructureModel, structures: StructureSpace, start: Ints) -> Ints:
    """Return the structure that no change of one slot would better, by the model's mean."""
    best = start
    for _ in range(_MOST_CLIMBS):
        around = np.concatenate([best[None, :], structures.neighbours(best)])
        place = int(np.argmax(model.mean(around)))
        if place == 0:
            break
        best = around[place]
    return best


def best_of_each(drawn: Floats) -> list[int]:
    """Return for each row the place of its highest value that no row before has taken, until all are taken."""
    left: NDArray[np.float64] = drawn.copy()
    found: list[int] = []
    for row in left[: left.shape[1]]:
        place = int(np.argmax(np.where(np.isin(np.arange(len(row)), found), -np.inf, row)))
        found.append(place)
    return found


def _suggest(trial: "optuna.Trial", structures: StructureSpace) -> Ints:
    values: dict[str, Any] = {}
    codes = []
    for slot, size in zip(structures.slots, structures.sizes, strict=True):
        code = trial.suggest_categorical(slot.name, tuple(range(size))) if slot.is_active(values) else NONE
        values[slot.name] = slot.choices[max(0, code)]
        codes.append(code)
    return np.array(codes, dtype=np.int64)
