"""What a search remembers: everything that the next step depends on, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptCandidate
from neuroforge.prompts.credit import Credit

FLEET_OPERATORS = ("paraphrase", "reflect", "combine")
"""Operators that ask a model for a new instruction."""
Phase = Literal["breeding", "racing", "deepening", "over"]


@dataclass(frozen=True)
class EvolutionSettings:
    """How a search goes."""

    population: int = 12
    """Candidates of a generation, those that survived the last one included."""
    n_survivors: int = 4
    max_demonstrations: int = 8
    max_calls: int | None = None
    max_generations: int | None = None
    patience: int = 4
    """Generations in which the best stays the same."""
    min_gain: float = 0.002
    """Expected gain of one more generation below which the search ends."""
    alpha: float = 0.2
    has_proposers: bool = False
    """Whether wishes for new instructions are answered."""
    seed: int = 0


class Trial(NamedTuple):
    """One candidate on one block of items."""

    candidate: PromptCandidate
    block: int
    item_ids: tuple[str, ...]


class Wish(Contract):
    """A child that a model shall write."""

    id: str
    operator: Literal["paraphrase", "reflect", "combine"]
    parents: tuple[str, ...]


class Asked(NamedTuple):
    """What may be done now, in any order and all at once; both empty = the search is over."""

    trials: tuple[Trial, ...] = ()
    wishes: tuple[Wish, ...] = ()


class EvolutionState(Contract):
    """A search between two steps."""

    phase: Phase = "racing"
    generation: int = 0
    block: int = 0
    """That the race is on."""
    depth: int = 1
    """Blocks that the elite has been through."""
    candidates: tuple[PromptCandidate, ...] = ()
    """All there ever were, in the order in which they were made; the first is the seed."""
    evaluations: tuple[Evaluation, ...] = ()
    elite: tuple[str, ...] = ()
    """Survivors of the last generation, best first."""
    cohort: tuple[str, ...] = ()
    """Those still in this generation's race beside the elite."""
    children: tuple[str, ...] = ()
    """All that this generation began with."""
    wishes: tuple[Wish, ...] = ()
    """Not answered yet."""
    pool: tuple[Demonstration, ...] = ()
    credits: dict[str, Credit] = Field(default_factory=dict)
    n_calls: int = 0
    n_stalled: int = 0
    gains: tuple[float, ...] = ()
    """Of the best, by generation."""
    ended_because: str | None = None
    rng: JsonObject = Field(default_factory=dict)

    def candidate(self, candidate_id: str) -> PromptCandidate:
        """Return the candidate of that id."""
        return next(one for one in self.candidates if one.id == candidate_id)


def rng_of(state: JsonObject, seed: int) -> np.random.Generator:
    """Return the generator as it was left; a new one of the seed from an empty state."""
    generator = np.random.Generator(np.random.PCG64(seed))
    if state:
        counters = {name: int(value) for name, value in state["state"].items()}
        generator.bit_generator.state = {**state, "state": counters}
    return generator


def rng_state(rng: np.random.Generator) -> JsonObject:
    """Return where the generator stands; its large integers as text, since JSON readers round them."""
    found: Mapping[str, JsonObject] = rng.bit_generator.state
    return {**found, "state": {name: str(value) for name, value in found["state"].items()}}
