"""one prompt -> the cheapest model -> a verifier -> the next better one, until an answer stands.

Source: FrugalGPT, arXiv:2305.05176; agreement of samples as the verifier: arXiv:2310.03094.
"""

from collections import Counter
from collections.abc import Sequence

from neuroforge.contracts.models import Capability
from neuroforge.contracts.tasks import Task
from neuroforge.orchestrator.answers import confidence_of, normalise_answer
from neuroforge.orchestrator.consensus import TEMPERATURE
from neuroforge.orchestrator.creative import check_format
from neuroforge.orchestrator.judge import judge_answers
from neuroforge.orchestrator.members import Contestant, pick_contestants
from neuroforge.orchestrator.panel import Answer, Order, Panel
from neuroforge.orchestrator.schema import is_valid_answer
from neuroforge.orchestrator.single import SingleExecution
from neuroforge.orchestrator.verdict import Verdict, diversified, require_answers, scored

Level = tuple[Answer | None, float | None, list[Answer]]
"""The model's answer, what the verifier says of it, and all that was asked for that."""


async def run_cascade(panel: Panel, single: SingleExecution) -> Verdict:
    """Return the first answer that the verifier lets stand, or the last model's: nobody is left to ask after it.

    A model that fails is escalated like one whose answer does not stand.
    Raises:
        RequestError: The verifier cannot work on this task. NeuroForgeError: All models failed, or the judge did.
    """
    check_format(panel.task, panel.task.verifier, panel.options.get("response_format"))
    ladder = order_ladder(panel.task, pick_contestants(panel.task, panel.caller, single.adaptation))
    answers: list[Answer] = []
    best: int | None = None
    value: float | None = None
    level = 0
    for level, contestant in enumerate(ladder):
        is_last = level == len(ladder) - 1
        answer, found, asked = await _climb(panel, contestant, is_last)
        value = found if found is not None else value
        answers += asked
        if answer is not None:
            best = next(index for index, one in enumerate(answers) if one is answer)
            if is_last or (found is not None and found >= panel.task.threshold):
                break
    require_answers(answers)
    return Verdict(tuple(answers), best, agreement=value, escalations=level)


def order_ladder(task: Task, contestants: Sequence[Contestant]) -> list[Contestant]:
    """Return the models from cheap to dear (then from fast to slow), without those that a cheaper one outdoes.

    Models that the caller names keep the caller's order; without predictions it is the fastest first.
    """
    if task.models is not None:
        return list(contestants)

    def price(one: Contestant) -> tuple[float, float]:
        expected = one.prediction
        return (0.0, 0.0) if expected is None else (expected.cost_usd, expected.latency_s)

    ladder: list[Contestant] = []
    for one in sorted(contestants, key=price):
        if not ladder or one.prediction is None or one.weight > ladder[-1].weight:
            ladder.append(one)
    return ladder


async def _climb(panel: Panel, contestant: Contestant, is_last: bool) -> Level:
    """One model: its answer, and whether it stands. The last one's is not verified, unless samples vote anyway."""
    if panel.task.verifier == "agreement":
        return await _sample(panel, contestant, is_last)
    wants_logprobs = panel.task.verifier == "logprob"
    needs: frozenset[Capability] = frozenset({"logprobs"}) if wants_logprobs else frozenset()
    changes = {"logprobs": True} if wants_logprobs else {}
    answer = await panel.ask(Order(panel.messages, contestant.model_id, changes, needs))
    if answer.error is not None:
        return None, None, [answer]
    value = None if is_last and not wants_logprobs else await _verify(panel, answer)
    (answer,) = scored([answer], [value])
    return answer, value, [answer]


async def _sample(panel: Panel, contestant: Contestant, is_last: bool) -> Level:
    n = 1 if is_last else panel.task.n
    orders = [
        Order(panel.messages, contestant.model_id, {} if n == 1 else diversified(panel.options, place, TEMPERATURE))
        for place in range(n)
    ]
    answers = await panel.ask_all(orders)
    good = [one for one in answers if one.error is None]
    if not good:
        return None, None, answers
    votes = Counter(normalise_answer(one.member.text or "") for one in good)
    (said, count) = votes.most_common(1)[0]
    # Of all that were asked: a sample that failed agrees with nobody. One sample alone says nothing.
    value = count / n if n > 1 else None
    shares = [
        None if one.error is not None or n == 1 else votes[normalise_answer(one.member.text or "")] / n
        for one in answers
    ]
    answers = list(scored(answers, shares))
    chosen = next(one for one in answers if one.error is None and normalise_answer(one.member.text or "") == said)
    return chosen, value, answers


async def _verify(panel: Panel, answer: Answer) -> float | None:
    match panel.task.verifier:
        case "logprob":
            return confidence_of(answer.body or {})
        case "judge":
            (value,) = await judge_answers(panel, panel.task.judge or "", [answer])
            return value
        case _:
            is_valid = is_valid_answer(panel.options.get("response_format"), answer.member.text)
            return None if is_valid is None else float(is_valid)
