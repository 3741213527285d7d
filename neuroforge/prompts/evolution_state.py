"""What a search remembers: everything that the next step depends on, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from pydantic import Field

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.prompts import Demonstration, Evaluation, PromptCandidate, PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import DataError
from neuroforge.prompts.credit import Credit

FLEET_OPERATORS = ("paraphrase", "reflect", "combine")
"""Operators that ask a model for a new instruction."""
Phase = Literal["breeding", "racing", "over"]


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


class Milestone(Contract):
    """Where a search stood at the end of a generation."""

    generation: int
    best: str
    """Id of the first of the elite."""
    fitness: Estimate | None
    """Of the best, on the items that it has seen; None = no answer could be scored."""
    gain: float
    """Over the best of the generation before, as all measurements let expect; >= 0."""
    n_calls: int
    n_tokens: int
    cost_usd: float


class EvolutionState(Contract):
    """A search between two steps."""

    phase: Phase = "racing"
    generation: int = 0
    block: int = 0
    """That the race is on."""
    depth: int = 1
    """Blocks of the race."""
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
    history: tuple[Milestone, ...] = ()
    """By generation."""
    ended_because: str | None = None
    rng: JsonObject = Field(default_factory=dict)

    def candidate(self, candidate_id: str) -> PromptCandidate:
        """Return the candidate of that id."""
        return next(one for one in self.candidates if one.id == candidate_id)


class Afforded(NamedTuple):
    """How far a budget goes."""

    n_trials: int
    """From the first on."""
    limit: str | None = None
    """Which part of the budget affords no more; None = all trials fit."""


class Affords(Protocol):
    """Who is asked before trials are."""

    def afford(self, trials: Sequence[Trial], state: EvolutionState) -> Afforded:
        """Say how many of the trials fit.

        Depends on its arguments and on calls that ended before the last step only, so that runs repeat.
        """
        ...


@dataclass(frozen=True)
class CallLimit:
    """A search that may make so many calls, and needs to keep none."""

    max_calls: int | None

    def afford(self, trials: Sequence[Trial], state: EvolutionState) -> Afforded:
        """See Affords."""
        if self.max_calls is None:
            return Afforded(len(trials))
        left = self.max_calls - state.n_calls
        for place, trial in enumerate(trials):
            left -= len(trial.item_ids) * trial.candidate.program.n_samples
            if left < 0:
                return Afforded(place, "calls")
        return Afforded(len(trials))


@dataclass(frozen=True)
class EvolutionSettings:
    """How a search goes."""

    population: int = 12
    """Candidates of a generation, those that survived the last one included."""
    n_survivors: int = 4
    max_demonstrations: int = 8
    max_calls: int | None = None
    """Where there is no purse."""
    purse: Affords | None = None
    """Who says what may still be asked; None = only `max_calls` counts."""
    max_generations: int | None = None
    patience: int = 4
    """Generations in which the best stays the same."""
    min_gain: float = 0.001
    """Expected gain of 100 more calls below which the search ends."""
    alpha: float = 0.2
    has_proposers: bool = False
    """Whether wishes for new instructions are answered."""
    seed: int = 0


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


def check_start(settings: EvolutionSettings, blocks: Sequence[tuple[str, ...]], seed: PromptProgram) -> None:
    """Raise DataError without items to search on, or where the budget does not take one candidate through a block."""
    if not blocks or not blocks[0]:
        raise DataError("there are no items to search on")
    if settings.max_calls is not None and settings.max_calls < len(blocks[0]) * seed.n_samples:
        raise DataError(
            f"a budget of {settings.max_calls} calls does not take one candidate through the first "
            f"{len(blocks[0])} items ({len(blocks[0]) * seed.n_samples} calls): raise it, or lower block_size"
        )
