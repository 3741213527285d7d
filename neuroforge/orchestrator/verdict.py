"""What a mode comes to: all answers, and the one that stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.tasks import Member
from neuroforge.errors import EngineUnavailable
from neuroforge.orchestrator.panel import Answer


@dataclass(frozen=True)
class Verdict:
    """The answers are in the order in which they were asked for."""

    answers: tuple[Answer, ...]
    winner: int | None
    """Index in `answers`."""
    agreement: float | None = None
    escalations: int = 0


def scored(answers: Sequence[Answer], scores: Sequence[float | None]) -> tuple[Answer, ...]:
    """Return the answers with their scores."""
    return tuple(
        replace(one, member=Member(**{**dict(one.member), "score": score}))
        for one, score in zip(answers, scores, strict=True)
    )


def require_answers(answers: Sequence[Answer]) -> list[Answer]:
    """Return those that did not fail.

    Raises:
        NeuroForgeError: What the first one ended with, when all failed.
    """
    good = [one for one in answers if one.error is None]
    if not good:
        raise next((one.error for one in answers if one.error), EngineUnavailable("no member of the task answered"))
    return good


def diversified(options: JsonObject, place: int, temperature: float) -> JsonObject:
    """Return what makes the n-th call of one prompt differ from the others: heat, and a seed of its own.

    A temperature of the caller's stays as it is; of a seed each call gets the next one, so that all repeat together.
    """
    changes: JsonObject = {}
    if options.get("temperature") is None:
        changes["temperature"] = temperature
    if isinstance(seed := options.get("seed"), int):
        changes["seed"] = seed + place
    return changes
