"""one prompt -> candidates that differ in model, heat and seed -> the best by a scorer."""

from collections.abc import Sequence

from neuroforge.contracts.models import Capability
from neuroforge.contracts.tasks import Task
from neuroforge.errors import RequestError
from neuroforge.orchestrator.answers import confidence_of
from neuroforge.orchestrator.judge import judge_answers
from neuroforge.orchestrator.members import pick_contestants
from neuroforge.orchestrator.panel import Answer, Order, Panel
from neuroforge.orchestrator.schema import is_valid_answer, why_unchecked
from neuroforge.orchestrator.single import SingleExecution
from neuroforge.orchestrator.verdict import Verdict, diversified, require_answers, scored

BASE_TEMPERATURE = 0.8
STEP = 0.1
"""A model's next candidate is so much hotter than the one before."""
MAX_TEMPERATURE = 1.2


async def run_creative(panel: Panel, single: SingleExecution) -> Verdict:
    """Return all candidates, scored; ties go to the one that was asked for first. All models come before any repeats.

    Raises:
        RequestError: The scorer cannot work on this task. NeuroForgeError: All candidates failed, or the judge did.
    """
    task = panel.task
    check_format(task, task.scorer, panel.options.get("response_format"))
    contestants = pick_contestants(task, panel.caller, single.adaptation)
    wants_logprobs = task.scorer == "logprob"
    needs: frozenset[Capability] = frozenset({"logprobs"}) if wants_logprobs else frozenset()
    orders = []
    for place in range(task.n):
        heat = min(MAX_TEMPERATURE, BASE_TEMPERATURE + STEP * (place // len(contestants)))
        changes = diversified(panel.options, place, heat) | ({"logprobs": True} if wants_logprobs else {})
        orders.append(Order(panel.messages, contestants[place % len(contestants)].model_id, changes, needs))
    answers = await panel.ask_all(orders)
    require_answers(answers)
    weights = {one.model_id: one.weight for one in contestants}
    scores = await _score(panel, answers, weights)
    best = max(
        (index for index, one in enumerate(answers) if one.error is None),
        key=lambda index: (-1.0 if scores[index] is None else scores[index], -index),
    )
    return Verdict(scored(answers, scores), best)


def check_format(task: Task, wanted: str, response_format: object) -> None:
    """Raise RequestError where answers are to be checked against a format that cannot be checked."""
    if wanted == "json_schema" and (why := why_unchecked(response_format)) is not None:
        raise RequestError(f"mode {task.mode!r} by json_schema: {why}", param="options.response_format")


async def _score(panel: Panel, answers: Sequence[Answer], weights: dict[str, float]) -> list[float | None]:
    """One a candidate; None = not scored."""
    task = panel.task
    if task.scorer == "judge":
        return await judge_answers(panel, task.judge or "", answers)
    return [None if one.error is not None else _score_one(panel, one, weights) for one in answers]


def _score_one(panel: Panel, answer: Answer, weights: dict[str, float]) -> float | None:
    match panel.task.scorer:
        case "predicted_quality":
            return weights.get(answer.member.model_id)
        case "logprob":
            return confidence_of(answer.body or {})
        case _:
            is_valid = is_valid_answer(panel.options.get("response_format"), answer.member.text)
            return None if is_valid is None else float(is_valid)
