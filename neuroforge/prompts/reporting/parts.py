"""Children against their first parents -> what each operator and each part of a prompt gained in the search."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neuroforge.contracts.prompts import PromptCandidate
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.race import paired
from neuroforge.prompts.space import PromptSpace

MAX_PARTS = 16
"""That are shown: those that gained or lost most."""
_LONGEST = 100


@dataclass(frozen=True)
class OperatorWorth:
    """What an operator's children came to."""

    name: str
    n_children: int
    n_better: int
    gain: float
    """Mean fitness over the first parent's, on the items that both saw."""


@dataclass(frozen=True)
class PartWorth:
    """Children in which one slot got one value, alone or with others."""

    slot: str
    value: str
    n_children: int
    gain: float
    """Mean, of each child divided by the number of slots that it changed."""


def list_operators(state: EvolutionState) -> tuple[OperatorWorth, ...]:
    """Return operators whose children were measured, by gain."""
    gains: dict[str, list[float]] = {}
    for child, _, gain in _children(state):
        gains.setdefault(child.operator, []).append(gain)
    found = (
        OperatorWorth(name, len(ones), sum(one > 0 for one in ones), float(np.mean(ones)))
        for name, ones in gains.items()
    )
    return tuple(sorted(found, key=lambda one: -one.gain))


def list_parts(state: EvolutionState, space: PromptSpace) -> tuple[PartWorth, ...]:
    """Return the values of slots that gained or lost most, by gain. Children take several at once: it is no proof."""
    gains: dict[tuple[str, str], list[float]] = {}
    for child, parent, gain in _children(state):
        mine, theirs = space.read(child.program), space.read(parent.program)
        changed = [name for name in mine if mine[name] != theirs[name]]
        for name in changed:
            gains.setdefault((name, _say(mine[name])), []).append(gain / len(changed))
    found = (PartWorth(*key, len(ones), float(np.mean(ones))) for key, ones in gains.items())
    telling = sorted(found, key=lambda one: -abs(one.gain))[:MAX_PARTS]
    return tuple(sorted(telling, key=lambda one: -one.gain))


def _children(state: EvolutionState) -> Iterator[tuple[PromptCandidate, PromptCandidate, float]]:
    """Child, first parent, and the mean difference of their fitness on the items that both saw."""
    fitness: dict[str, dict[str, float]] = {}
    for one in state.evaluations:
        measured = zip(one.item_ids, one.fitness, strict=True)
        fitness.setdefault(one.candidate_id, {}).update({item: value for item, value in measured if value is not None})
    known = {one.id: one for one in state.candidates}
    for child in state.candidates:
        if child.parents and child.id in fitness and child.parents[0] in fitness:
            differences = paired(fitness[child.id], fitness[child.parents[0]])
            if len(differences):
                yield child, known[child.parents[0]], float(differences.mean())


def _say(value: object) -> str:
    parts = value if isinstance(value, tuple) else () if value is None else (value,)
    text = ", ".join(str(one) for one in parts)
    flat = " ".join(text.split()) or "left out"
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
