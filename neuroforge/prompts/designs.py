"""The first generation: the seed, the seed with examples shown in many ways, and designs that spread over the space."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionSettings
from neuroforge.prompts.program import program_id
from neuroforge.prompts.slots import COUNT, NEAREST
from neuroforge.prompts.space import PromptSpace

Design = tuple[str, PromptProgram, tuple[str, ...]]
"""Operator, program, parents."""
_MOST_TRIES = 200
"""Designs repeat where the space is small."""
_SHARE_OF_NEAREST = 0.5
_SHARE_OF_SETTLED = 0.75
"""Of designs that leave such a slot as it is."""
_KEPT = 0.7
"""Share of the slots that every other design leaves as they are: what is there was chosen for the task or has won."""
_MOST_COUNTS = 4
"""Numbers of nearest examples that are tried first, the largest ones."""
_NEEDS_STEPS = ("numeric", "code")
"""Kinds of task where steps before the answer often matter."""


def first_designs(
    seed: PromptProgram,
    space: PromptSpace,
    pool: tuple[Demonstration, ...],
    settings: EvolutionSettings,
    rng: np.random.Generator,
    suggestions: Sequence[PromptProgram] = (),
) -> list[Design]:
    """Return at most `population` different programs: the seed, suggestions, then the others."""
    found: dict[str, Design] = {program_id(seed): ("seed", seed, ())}
    for program in suggestions:
        found.setdefault(program_id(program), ("suggestion", program, (program_id(seed),)))
    for design in _designs(seed, space, pool, settings.max_demonstrations, rng):
        found.setdefault(program_id(design[1]), design)
        if len(found) >= settings.population:
            break
    return list(found.values())


def draw_design(
    base: PromptProgram,
    space: PromptSpace,
    pool: tuple[Demonstration, ...],
    max_demonstrations: int,
    rng: np.random.Generator,
) -> PromptProgram:
    """Return a program with all slots drawn anew or few.

    Examples are what helps small models most, so few designs go without: half show those nearest to the question, any
    number of them; the others mostly as many as may be shown, or half as many. How the model is asked stays mostly as
    it is.
    """
    kept = _KEPT if rng.random() < 0.5 else 0.0
    drawn = {
        slot.name: slot.choices[int(rng.integers(len(slot.choices)))]
        for slot in space.slots
        if slot.name not in (NEAREST, COUNT)
        if rng.random() >= (max(kept, _SHARE_OF_SETTLED) if slot.is_settled else kept)
    }
    program = space.write(base, drawn)
    offered = _offered_nearest(space)
    if offered and rng.random() < _SHARE_OF_NEAREST:
        return space.slot(NEAREST).write(program, offered[int(rng.integers(len(offered)))])
    half = (max_demonstrations + 1) // 2
    counts = (max_demonstrations, max_demonstrations, half, int(rng.integers(max_demonstrations + 1)))
    return with_examples(program, pool, counts[int(rng.integers(len(counts)))], rng)


def with_examples(
    program: PromptProgram, pool: tuple[Demonstration, ...], n: int, rng: np.random.Generator
) -> PromptProgram:
    """Return the program with n examples, as many answers as possible among them; all there are, of fewer."""
    rounds: dict[int, list[Demonstration]] = {}
    n_by_answer: dict[str, int] = {}
    for index in rng.permutation(len(pool)):
        one = pool[int(index)]
        n_before = n_by_answer.get(one.answer, 0)
        rounds.setdefault(n_before, []).append(one)
        n_by_answer[one.answer] = n_before + 1
    shown = [one for number in sorted(rounds) for one in rounds[number]][:n]
    return PromptProgram(**{**dict(program), "demonstrations": tuple(shown), "n_nearest": None})


def _designs(
    seed: PromptProgram,
    space: PromptSpace,
    pool: tuple[Demonstration, ...],
    max_demonstrations: int,
    rng: np.random.Generator,
) -> Iterator[Design]:
    seed_id = (program_id(seed),)
    half = (max_demonstrations + 1) // 2
    # Of models that are made to chat most take earlier turns for examples better than a text that tells of some; how
    # many of the nearest are best is not known beforehand.
    in_turns = space.slot("demonstration_style").write(seed, "turns")
    nearest = [space.slot(NEAREST).write(in_turns, n) for n in reversed(_offered_nearest(space)[-_MOST_COUNTS:])]
    fixed = [with_examples(in_turns, pool, n, rng) for n in (max_demonstrations, half)]
    for chosen, shown in zip_longest(nearest, fixed):
        if chosen is not None:
            yield "show_nearest", chosen, seed_id
        if shown is not None:
            yield "add_demonstrations", shown, seed_id
    yield "add_demonstrations", with_examples(seed, pool, max_demonstrations, rng), seed_id
    if space.kind in _NEEDS_STEPS and (others := space.slot("reasoning_cue").choices[1:2]):
        yield "edit_section", space.write(seed, {"reasoning_cue": others[0]}), seed_id
    for _ in range(_MOST_TRIES):
        yield "redesign", draw_design(seed, space, pool, max_demonstrations, rng), seed_id


def _offered_nearest(space: PromptSpace) -> list[int]:
    """How many of the nearest examples may be shown; empty = they are not chosen by the question."""
    return [one for one in space.slot(NEAREST).choices if one is not None]
