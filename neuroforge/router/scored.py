"""What the measurements of this room read: a logged decision with the score of its answer."""

from typing import NamedTuple

from neuroforge.contracts.routing import Decision


class ScoredDecision(NamedTuple):
    """One logged decision."""

    decision: Decision
    score: float | None
    """Quality of the answer, 0..1; None = nobody scored it."""
    at_s: float = 0.0
    """Unix time of the answer's end."""
    weight: float = 1.0
    """How many answers it stands for: below 1 for failures, all of which are scored, where few normal answers are
    (neuroforge.router.feedback.failure_weight)."""
