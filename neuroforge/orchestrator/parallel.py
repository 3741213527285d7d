"""prompts -> one answer each, many at once, in the prompts' order; what fails is told and loses nothing else."""

from neuroforge.contracts.base import JsonObject
from neuroforge.orchestrator.panel import Order, Panel
from neuroforge.orchestrator.verdict import Verdict


async def run_parallel(panel: Panel) -> Verdict:
    """Return all answers; each prompt follows the task's messages, if it has any.

    Raises:
        NeuroForgeError: What the first one ended with, when none was answered.
    """
    orders = [Order([*panel.messages, _as_message(prompt)]) for prompt in panel.task.prompts or ()]
    answers = await panel.ask_all(orders)
    if all(one.error is not None for one in answers) and answers[0].error is not None:
        raise answers[0].error
    return Verdict(tuple(answers), winner=None)


def _as_message(prompt: str) -> JsonObject:
    return {"role": "user", "content": prompt}
