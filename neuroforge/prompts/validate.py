"""Improved programs -> those that models agree are still about the same task."""

import asyncio
import math
from collections.abc import Sequence
from typing import NamedTuple

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.errors import NeuroForgeError
from neuroforge.prompts.ask import Models

AGREED = 0.5
"""Mean probability of yes from which an improvement stands."""


class Validated(NamedTuple):
    """One improvement with the models' vote."""

    program: PromptProgram
    agreement: float | None
    """Mean over models; None = no model could be asked."""


async def validate(
    original: PromptProgram, improved: Sequence[PromptProgram], client: Models, model_ids: Sequence[str]
) -> tuple[Validated, ...]:
    """Return the improvements that stand, the most agreed first; without a vote they stand as they are."""
    jobs = [(program, model_id) for program in improved for model_id in model_ids]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_vote(client, model_id, original.instruction, program.instruction))
            for program, model_id in jobs
        ]
    votes = [task.result() for task in tasks]
    n = len(model_ids)
    found = []
    for place, program in enumerate(improved):
        cast = [one for one in votes[place * n : (place + 1) * n] if one is not None]
        found.append(Validated(program, sum(cast) / len(cast) if cast else None))
    kept = [one for one in found if one.agreement is None or one.agreement >= AGREED]
    return tuple(sorted(kept, key=lambda one: -(one.agreement or 0.0)))


async def _vote(client: Models, model_id: str, one: str, other: str) -> float | None:
    """Probability that the model says yes, over both orders of the two; None where it cannot be asked."""
    try:
        return (await _says_yes(client, model_id, one, other) + await _says_yes(client, model_id, other, one)) / 2
    except NeuroForgeError:
        return None


async def _says_yes(client: Models, model_id: str, first: str, second: str) -> float:
    question = (
        f"<first>\n{first}\n</first>\n<second>\n{second}\n</second>\n\n"
        "Do these two instructions ask for the same task? Answer Yes or No."
    )
    found = await client.label_logprobs([{"role": "user", "content": question}], ["Yes", "No"], model_id)
    yes, no = (one.logprob for one in found.scores)
    return 1.0 / (1.0 + math.exp(min(50.0, no - yes)))
