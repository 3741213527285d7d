"""What a scorer says of one reply. "Not scored" is None with a reason, never 0."""

from typing import Literal, get_args

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract

ScorerName = Literal[
    "exact", "normalized", "numeric", "choice", "code", "regex", "json_schema", "f1", "rouge", "bleu", "embedding",
    "function_call", "refusal", "judge",
]  # fmt: skip
"""What each compares is told in docs/DATASETS.md; `judge` = nothing but a judge or a person can say."""
SCORER_NAMES: tuple[ScorerName, ...] = get_args(ScorerName)
WITHOUT_REFERENCE: frozenset[ScorerName] = frozenset({"code", "refusal", "judge"})
"""Scorers that need no right answer: tests, a rule or a judge say what is good."""


class Score(Contract):
    """One reply against one reference."""

    value: float | None = Field(default=None, ge=0, le=1)
    """1 = right, 0 = wrong; None = nobody can say, and `reason` tells why."""
    reason: str | None = None
    """Why it was not scored, or what was wrong with a reply that scored 0."""
    answer: str | None = Field(default=None, repr=False)
    """What was read out of the reply; None when nothing like an answer was in it."""

    @model_validator(mode="after")
    def _explains_itself(self) -> "Score":
        if self.value is None and not self.reason:
            raise ValueError("a score without a value needs a reason")
        return self

    @property
    def is_scored(self) -> bool:
        """Whether there is a value."""
        return self.value is not None
