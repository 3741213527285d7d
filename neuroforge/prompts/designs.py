"""The first generation: the seed, the seed with examples, and designs that spread over the space."""

from collections.abc import Iterator

import numpy as np

from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.evolution_state import EvolutionSettings
from neuroforge.prompts.program import program_id
from neuroforge.prompts.space import PromptSpace

Design = tuple[str, PromptProgram, tuple[str, ...]]
"""Operator, program, parents."""
_FIRST_COUNTS = (4, 2, 8, 1)
"""Examples to begin with."""


def first_designs(
    seed: PromptProgram,
    space: PromptSpace,
    pool: tuple[Demonstration, ...],
    settings: EvolutionSettings,
    rng: np.random.Generator,
) -> list[Design]:
    """Return at most `population` different programs, the seed first."""
    found: dict[str, Design] = {}
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
    yield "seed", seed, ()
    counts = [n for n in _FIRST_COUNTS if n <= min(max_demonstrations, len(pool))]
    for n in counts[:2]:
        yield "add_demonstrations", _with_examples(seed, pool, n, rng), seed_id
    for instruction in space.slot("instruction").choices[1:]:
        program = space.write(seed, {"instruction": instruction})
        yield "instruction_bank", program, seed_id
        if counts:
            yield "instruction_bank", _with_examples(program, pool, int(rng.choice(counts)), rng), seed_id
    for _ in range(50):
        drawn = {
            slot.name: slot.choices[int(rng.integers(len(slot.choices)))]
            for slot in space.slots
            if slot.name != "n_demonstrations" and rng.random() < 0.4
        }
        program = space.write(seed, drawn)
        if counts and rng.random() < 0.7:
            program = _with_examples(program, pool, int(rng.choice(counts)), rng)
        yield "random_design", program, seed_id


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
