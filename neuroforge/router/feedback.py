"""What an outcome says of quality by itself, and what feedback on it says and does: docs/decisions/104."""

from typing import NamedTuple

from neuroforge.contracts.outcomes import Feedback, FeedbackStatus
from neuroforge.contracts.routing import Outcome

MODEL_FAILED = frozenset({500, 502})
"""The model's own failures. 429, 503 and 504 speak of load (latency and breakers learn it), the rest of the caller."""
MIN_FAILURE_WEIGHT = 0.02
"""Of a failure in the posterior, where next to nobody gives feedback."""


def has_failed(outcome: Outcome) -> bool | None:
    """Return True where the outcome itself says quality 0, False for a normal answer, None where it says nothing.

    Zero are: an error of the model, an answer that is not the JSON that was asked for, an answer without a token. An
    answer that ended well is not a good one for that: it stays without a score.
    """
    if outcome.status in MODEL_FAILED:
        return True
    if not 200 <= outcome.status < 300:
        return None
    if outcome.is_schema_valid is False:
        return True
    # Without prompt tokens the model's server does not count at all; embeddings have no finish reason.
    is_counted = outcome.n_prompt_tokens > 0
    return outcome.finish_reason == "stop" and outcome.n_completion_tokens == 0 and is_counted


def implicit_score(outcome: Outcome) -> float | None:
    """Return 0 for a failure, else None = not scored; never a 1."""
    return 0.0 if has_failed(outcome) else None


def failure_weight(n_rated: int, n_answered: int) -> float:
    """Return how much a failure weighs in the posterior beside feedback, which weighs 1.

    Every failure has a score, but a normal answer only when somebody rates it. Weighted by the share of normal answers
    that are rated, failures count as often as if they had been picked for rating like the rest; else a model that fails
    once in a hundred would look like one that always does.

    Args:
        n_rated: Normal answers with feedback.
        n_answered: Normal answers.
    """
    return min(1.0, max(MIN_FAILURE_WEIGHT, n_rated / max(n_answered, 1)))


def explicit_score(feedback: Feedback, answer: str | None) -> float:
    """Return the score that feedback gives: as said, 1 or 0 for good or bad, or whether the answer was preferred.

    Args:
        feedback: With `preferred_answer`, the same text counts as 1 (but for white space around it), else as 0.
        answer: What the model said; None = it was not kept, so it counts as another text.
    """
    if feedback.preferred_answer is not None:
        return float(answer is not None and answer.strip() == feedback.preferred_answer.strip())
    return float(feedback.score or 0.0)


class Standing(NamedTuple):
    """What was said of a decision before."""

    score: float
    preferred_answer: str | None
    comment: str | None


def judge_feedback(new: Standing, before: Standing | None, is_late: bool) -> FeedbackStatus:
    """Return what becomes of feedback: the last word counts, the same again changes nothing.

    Args:
        new: With texts only where they are kept.
        before: None = nobody said anything yet.
        is_late: The posterior can no longer take it in.
    """
    if new == before:
        return "duplicate"
    if is_late:
        return "late"
    return "accepted" if before is None else "replaced"
