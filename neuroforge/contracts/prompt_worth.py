"""What the parts of a prompt are worth, and how good a prompt is: as told with a result."""

from typing import Literal, Self

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.rules import Estimate


class ChoiceWorth(Contract):
    """One thing that may stand in a slot."""

    value: str
    """As text; `none` where the section is left out."""
    effect: Estimate
    """Fitness that it gains over what the seed has there, averaged over all other slots; of the seed's own 0."""
    is_chosen: bool


class SlotWorth(Contract):
    """One decision of a prompt's structure."""

    slot: str
    share: Estimate
    """Of the variance of fitness over structures (functional ANOVA), 0..1."""
    choices: tuple[ChoiceWorth, ...]
    """The seed's own first."""


class PairWorth(Contract):
    """Two slots whose effect together is not the sum of each one's."""

    slots: tuple[str, str]
    share: Estimate
    """Of the variance, beside what each slot has alone."""


class Assessment(Contract):
    """How good a prompt is, or how much better than another, with how that is known."""

    basis: Literal["measured", "predicted", "heuristic"]
    """On examples; from earlier runs' prompts on this machine; by rules about prompts, which nothing here confirms."""
    is_measured: bool
    score: float = Field(ge=-1, le=1)
    """0..1, or of an improvement -1..1."""
    low: float | None = Field(default=None, ge=-1, le=1)
    """Lower end of the interval; a heuristic has none."""
    high: float | None = Field(default=None, ge=-1, le=1)
    coverage: float | None = Field(default=None, gt=0, lt=1)
    """Share of prompts whose measured value lies in such intervals."""
    n: int = Field(ge=0)
    """Examples, or earlier runs behind a prediction; 0 of a heuristic."""
    note: str
    """For people: what this is, and what would make it better."""

    @model_validator(mode="after")
    def _says_what_it_is(self) -> Self:
        if self.is_measured != (self.basis == "measured"):
            raise ValueError(f"is_measured={self.is_measured} does not go with {self.basis}")
        bounds = (self.low, self.high, self.coverage)
        if (
            any(one is None for one in bounds) != (self.basis == "heuristic")
            or len({one is None for one in bounds}) > 1
        ):
            raise ValueError("low, high and coverage go together; only a heuristic has none")
        return self
