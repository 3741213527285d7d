"""Structures as codes, one a slot: program -> codes, codes -> program, and which slots make a difference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.designs import with_examples
from neuroforge.prompts.slots import COUNT, Slot, changed
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.structure_model import NONE, Ints

_N_DRAWS = 2000
"""Random structures that tell how often a slot makes a difference."""


@dataclass(frozen=True)
class StructureSpace:
    """All structures of a task. One structure is one program, so that what is learned of it stays true."""

    seed: PromptProgram
    slots: tuple[Slot, ...]
    """Each after those that its condition looks at."""
    shown: tuple[Demonstration, ...]
    """Examples in the order in which structures show the first of them."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Choices of each slot."""
        return tuple(len(slot.choices) for slot in self.slots)

    @cached_property
    def is_active(self) -> NDArray[np.bool_]:
        """(2000, n_slots), whether each slot makes a difference in structures drawn uniformly."""
        return np.asarray(self.draw(_N_DRAWS, np.random.default_rng(0)) != NONE)

    def encode(self, program: PromptProgram) -> Ints:
        """Return (n_slots,): the place of what the program has, NONE where that is no choice or makes no difference."""
        values = {slot.name: slot.read(program) for slot in self.slots}
        return np.array(
            [
                slot.choices.index(values[slot.name])
                if slot.is_active(values) and values[slot.name] in slot.choices
                else NONE
                for slot in self.slots
            ],
            dtype=np.int64,
        )

    def decode(self, codes: Ints) -> PromptProgram:
        """Return the program; where a code is NONE it has what the seed has."""
        program, n_shown = self.seed, len(self.seed.demonstrations)
        for slot, code in zip(self.slots, codes.tolist(), strict=True):
            value = slot.choices[max(0, code)]
            if slot.name == COUNT:
                n_shown = value
            else:
                program = slot.write(program, value)
        return program if program.n_nearest is not None else changed(program, demonstrations=self.shown[:n_shown])

    def settle(self, codes: Ints) -> Ints:
        """Return the codes with NONE for slots that make no difference, given the others."""
        values = self._values(codes)
        return np.array(
            [code if slot.is_active(values) else NONE for slot, code in zip(self.slots, codes.tolist(), strict=True)],
            dtype=np.int64,
        )

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """Return (n, n_slots), each slot drawn uniformly."""
        raw = np.stack([rng.integers(size, size=n) for size in self.sizes], axis=1)
        return np.stack([self.settle(one) for one in raw])

    def neighbours(self, codes: Ints) -> Ints:
        """Return (m, n_slots): all structures that differ in one slot that makes a difference."""
        found = []
        for index, size in enumerate(self.sizes):
            for code in range(size):
                if codes[index] not in (NONE, code):
                    other = codes.copy()
                    other[index] = code
                    # A slot that comes to matter begins at the seed's own choice.
                    found.append(self.settle(np.maximum(other, 0)))
        return np.array(found, dtype=np.int64).reshape(-1, len(self.slots))

    def _values(self, codes: Ints) -> dict[str, Any]:
        return {slot.name: slot.choices[max(0, code)] for slot, code in zip(self.slots, codes.tolist(), strict=True)}


def structures_of(
    space: PromptSpace,
    seed: PromptProgram,
    pool: Sequence[Demonstration],
    instructions: Sequence[str],
    rng: np.random.Generator,
) -> StructureSpace:
    """Return the structures of a space.

    Args:
        instructions: Suggested ones, choices beside the bank's.
        pool: Examples that may be shown; the seed's own come before them.
    """
    more = tuple(one for one in pool if one not in seed.demonstrations)
    shown = (*seed.demonstrations, *with_examples(seed, more, len(more), rng).demonstrations)
    fitted = [_fitted(slot, len(shown), instructions) for slot in space.slots]
    slots = [slot for slot in fitted if len(slot.choices) > 1]  # one choice is no decision, and dilutes the model's
    return StructureSpace(seed, tuple(sorted(slots, key=lambda slot: not slot.is_active({}))), shown)


def _fitted(slot: Slot, n_shown: int, instructions: Sequence[str]) -> Slot:
    if slot.name == COUNT:
        return replace(slot, choices=tuple(n for n in slot.choices if n <= n_shown))
    if slot.name == "instruction":
        return replace(slot, choices=tuple(dict.fromkeys((*slot.choices, *instructions))))
    return slot
