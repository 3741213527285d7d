"""Parents -> a child: operators that need no model. Each is one function of (parents, space, pool, rng)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.designs import draw_design
from neuroforge.prompts.slots import COUNT, NEAREST, Slot, changed
from neuroforge.prompts.space import PromptSpace

_TRIES = 8
"""An operator that gave its parent back so often has nothing to offer."""
_SHOWN = (NEAREST, COUNT)
"""Slots that are nothing without the examples."""


@dataclass(frozen=True)
class Breeding:
    """What operators work with."""

    space: PromptSpace
    pool: tuple[Demonstration, ...]
    """Examples that may be shown."""
    max_demonstrations: int
    elite: tuple[PromptProgram, ...]
    """The best so far, best first: what the distribution over slots is estimated from."""


Operator = Callable[[Sequence[PromptProgram], Breeding, np.random.Generator], PromptProgram]


def edit_section(parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator) -> PromptProgram:
    """Put another of the bank's values into one slot of the first parent."""
    return _set_random(parents[0], [one for one in breeding.space.slots if one.name not in _SHOWN], rng)


def cross_sections(parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator) -> PromptProgram:
    """Take each slot from one of two parents, and the demonstrations whole from one (uniform crossover)."""
    first, second = parents[0], parents[-1]
    theirs = breeding.space.read(second)
    taken = {name: value for name, value in theirs.items() if name not in _SHOWN and rng.random() < 0.5}
    child = breeding.space.write(first, taken)
    return _with_shown_of(child, second) if rng.random() < 0.5 else child


def differ_in_slots(parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator) -> PromptProgram:
    """Differential evolution over categories: where two other parents differ, the first takes a value of theirs.

    Slots in which the two agree say nothing about what matters, and stay. With fewer than three parents as
    `edit_section`. Source: Storn and Price 1997, on categories as in EvoPrompt, arXiv:2309.08532.
    """
    if len(parents) < 3:
        return edit_section(parents, breeding, rng)
    base, one, other = parents[0], breeding.space.read(parents[1]), breeding.space.read(parents[2])
    differing = [name for name in one if one[name] != other[name] and name not in _SHOWN]
    taken = {name: one[name] for name in differing if rng.random() < 0.7}
    child = breeding.space.write(base, taken)
    if one[NEAREST] != other[NEAREST] and rng.random() < 0.7:
        return _with_shown_of(child, parents[1])
    return child


def sample_distribution(
    parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator
) -> PromptProgram:
    """Draw each slot from how often the elite has each value, smoothed (univariate EDA, PBIL's model)."""
    elite = [breeding.space.read(one) for one in breeding.elite or tuple(parents)]
    drawn: dict[str, Any] = {}
    for slot in breeding.space.slots:
        if slot.name in _SHOWN:
            continue
        values = list(dict.fromkeys((*slot.choices, *(one[slot.name] for one in elite))))
        counts = np.array([sum(one[slot.name] == value for one in elite) for value in values], dtype=float)
        weights = counts + 1.0 / len(values)
        drawn[slot.name] = values[int(rng.choice(len(values), p=weights / weights.sum()))]
    return breeding.space.write(parents[0], drawn)


def show_nearest(parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator) -> PromptProgram:
    """Show each question the examples nearest to it, or another number of them."""
    slot = breeding.space.slot(NEAREST)
    others = [n for n in slot.choices if n is not None and n != parents[0].n_nearest]
    return slot.write(parents[0], others[int(rng.integers(len(others)))]) if others else parents[0]


def add_demonstrations(parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator) -> PromptProgram:
    """Show one to four more examples, at random places; of a pool more of the nearest."""
    shown = list(parents[0].demonstrations)
    if (n_nearest := parents[0].n_nearest) is not None:
        n_most = min(breeding.max_demonstrations, len(shown))
        return changed(parents[0], n_nearest=max(n_nearest, min(n_nearest + int(rng.integers(1, 5)), n_most)))
    unused = _unused(shown, breeding.pool)
    n_more = min(int(rng.integers(1, 5)), len(unused), breeding.max_demonstrations - len(shown))
    for index in rng.permutation(len(unused))[: max(0, n_more)]:
        shown.insert(int(rng.integers(0, len(shown) + 1)), unused[int(index)])
    return changed(parents[0], demonstrations=tuple(shown))


def drop_demonstrations(
    parents: Sequence[PromptProgram], _breeding: Breeding, rng: np.random.Generator
) -> PromptProgram:
    """Leave out up to half of the examples: shorter prompts are cheaper, and some examples mislead."""
    shown = parents[0].demonstrations
    if (n_nearest := parents[0].n_nearest) is not None:
        return changed(parents[0], n_nearest=max(1, n_nearest - int(rng.integers(1, max(2, n_nearest // 2 + 1)))))
    if not shown:
        return parents[0]
    n_kept = len(shown) - int(rng.integers(1, max(2, len(shown) // 2 + 1)))
    kept = sorted(int(index) for index in rng.permutation(len(shown))[:n_kept])
    return changed(parents[0], demonstrations=tuple(shown[index] for index in kept))


def swap_demonstrations(
    parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator
) -> PromptProgram:
    """Show other examples in the place of some; in a pool the model's own right answers in the place of the items'."""
    shown = list(parents[0].demonstrations)
    if parents[0].n_nearest is not None:
        own = {one.question: one for one in breeding.pool if one.is_bootstrapped and parents[0].reasoning_cue}
        return changed(parents[0], demonstrations=tuple(own.get(one.question, one) for one in shown))
    unused = _unused(shown, breeding.pool)
    n = min(len(shown), len(unused), int(rng.integers(1, 3)))
    places, fresh = rng.permutation(len(shown))[:n], rng.permutation(len(unused))[:n]
    for place, index in zip(places, fresh, strict=True):
        shown[int(place)] = unused[int(index)]
    return changed(parents[0], demonstrations=tuple(shown))


def reorder_demonstrations(
    parents: Sequence[PromptProgram], _breeding: Breeding, rng: np.random.Generator
) -> PromptProgram:
    """Show the same examples in another order: small models are sensitive to it (arXiv:2104.08786)."""
    shown = parents[0].demonstrations
    if parents[0].n_nearest is not None:
        return parents[0]  # the question orders them
    return changed(parents[0], demonstrations=tuple(shown[int(index)] for index in rng.permutation(len(shown))))


def redesign(parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator) -> PromptProgram:
    """Draw every slot anew: what the elite has in common may be the wrong thing."""
    return draw_design(parents[0], breeding.space, breeding.pool, breeding.max_demonstrations, rng)


OPERATORS: dict[str, Operator] = {
    "edit_section": edit_section,
    "cross_sections": cross_sections,
    "differ_in_slots": differ_in_slots,
    "sample_distribution": sample_distribution,
    "show_nearest": show_nearest,
    "add_demonstrations": add_demonstrations,
    "drop_demonstrations": drop_demonstrations,
    "swap_demonstrations": swap_demonstrations,
    "reorder_demonstrations": reorder_demonstrations,
    "redesign": redesign,
}
"""Operators that need no model, by name."""


def breed(
    name: str, parents: Sequence[PromptProgram], breeding: Breeding, rng: np.random.Generator
) -> PromptProgram | None:
    """Return a child that differs from its first parent, or None where the operator has nothing to offer."""
    for _ in range(_TRIES):
        child = OPERATORS[name](parents, breeding, rng)
        if child != parents[0]:
            return child
    return None


def _with_shown_of(child: PromptProgram, other: PromptProgram) -> PromptProgram:
    return changed(child, demonstrations=other.demonstrations, n_nearest=other.n_nearest)


def _unused(shown: Sequence[Demonstration], pool: Sequence[Demonstration]) -> list[Demonstration]:
    questions = {one.question for one in shown}
    return [one for one in pool if one.question not in questions]


def _set_random(program: PromptProgram, slots: Sequence[Slot], rng: np.random.Generator) -> PromptProgram:
    values = {slot.name: slot.read(program) for slot in slots}
    active = [slot for slot in slots if len(slot.choices) > 1 and slot.is_active(values)]
    if not active:
        return program
    slot = active[int(rng.integers(len(active)))]
    others = [value for value in slot.choices if value != values[slot.name]]
    return slot.write(program, others[int(rng.integers(len(others)))])
