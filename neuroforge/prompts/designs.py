"""The first generation: the seed, the seed with examples, and designs that spread over the space."""

from collections.abc import Iterator, Sequence

import numpy as np

from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionSettings
from neuroforge.prompts.program import program_id
from neuroforge.prompts.space import PromptSpace

Design = tuple[str, PromptProgram, tuple[str, ...]]
"""Operator, program, parents."""
_FIRST_COUNTS = (4, 2, 8, 1)
"""Examples to begin with."""
_CHANGED = 0.4
"""Share of the slots in which a random design differs from the seed."""
_MOST_TRIES = 200
"""Designs repeat where the space is small."""


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


def _designs(
    seed: PromptProgram,
    space: PromptSpace,
    pool: tuple[Demonstration, ...],
    max_demonstrations: int,
    rng: np.random.Generator,
) -> Iterator[Design]:
    seed_id = (program_id(seed),)
    counts = [n for n in _FIRST_COUNTS if n <= min(max_demonstrations, len(pool))]
    for n in counts[:2]:
        yield "add_demonstrations", _with_examples(seed, pool, n, rng), seed_id
    for name in ("reasoning_cue", "output_format"):  # what most often matters, each by itself
        if others := space.slot(name).choices[1:2]:
            yield "edit_section", space.write(seed, {name: others[0]}), seed_id
    instructions = list(space.slot("instruction").choices[1:])
    for _ in range(_MOST_TRIES):
        if instructions:
            program = space.write(seed, {"instruction": instructions.pop(0)})
            yield "instruction_bank", _maybe_with_examples(program, pool, counts, rng), seed_id
        drawn = {
            slot.name: slot.choices[int(rng.integers(len(slot.choices)))]
            for slot in space.slots
            if slot.name != "n_demonstrations" and rng.random() < _CHANGED
        }
        yield "random_design", _maybe_with_examples(space.write(seed, drawn), pool, counts, rng), seed_id


def _maybe_with_examples(
    program: PromptProgram, pool: tuple[Demonstration, ...], counts: list[int], rng: np.random.Generator
) -> PromptProgram:
    if not counts or rng.random() < 0.5:
        return program
    return _with_examples(program, pool, int(rng.choice(counts)), rng)


def _with_examples(
    program: PromptProgram, pool: tuple[Demonstration, ...], n: int, rng: np.random.Generator
) -> PromptProgram:
    """The program with n examples, as many answers as possible among them."""
    order = [pool[int(index)] for index in rng.permutation(len(pool))]
    chosen: list[Demonstration] = []
    answers: dict[str, int] = {}
    while len(chosen) < min(n, len(order)):
        fewest = min(answers.get(one.answer, 0) for one in order if one not in chosen)
        one = next(one for one in order if one not in chosen and answers.get(one.answer, 0) == fewest)
        chosen.append(one)
        answers[one.answer] = fewest + 1
    return PromptProgram(**{**dict(program), "demonstrations": tuple(chosen)})
