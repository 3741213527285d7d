"""one prompt -> votes of one or several models -> the answer with the most weight behind it.

Source: self-consistency, arXiv:2203.11171; a vote weighs what the router expects of its model.
"""

from collections import defaultdict
from collections.abc import Sequence

from neuroforge.orchestrator.answers import normalise_answer
from neuroforge.orchestrator.members import Contestant, among_equals, pick_contestants
from neuroforge.orchestrator.panel import Answer, Order, Panel
from neuroforge.orchestrator.single import SingleExecution
from neuroforge.orchestrator.verdict import Verdict, diversified, require_answers, scored

TEMPERATURE = 0.7
"""As self-consistency samples."""


async def run_consensus(panel: Panel, single: SingleExecution) -> Verdict:
    """Return all votes, or, where the task may stop early, those that came until none could change the winner.

    A member's score is its share of the weight behind the same answer.
    Raises:
        NeuroForgeError: All members failed.
    """
    task = panel.task
    contestants = pick_contestants(task, panel.caller, single.adaptation)
    if task.models is None:
        contestants = among_equals(contestants, task.n)
    voters = [contestants[place % len(contestants)] for place in range(task.n)]
    orders = [
        Order(panel.messages, one.model_id, diversified(panel.options, place, TEMPERATURE))
        for place, one in enumerate(voters)
    ]
    answers = await panel.ask_all(orders, (lambda done: _is_decided(done, voters)) if task.stop_early else None)
    return _count(answers, voters)


def _count(answers: Sequence[Answer], voters: Sequence[Contestant]) -> Verdict:
    good = require_answers(answers)
    weight_by_answer = _tally(good, voters)
    total = sum(weight_by_answer.values())
    # Ties go to the answer that was asked for first.
    winning = max(weight_by_answer, key=lambda key: weight_by_answer[key])
    shares = [
        None if one.error is not None else weight_by_answer[normalise_answer(one.member.text or "")] / total
        for one in answers
    ]
    supporters = [
        index
        for index, one in enumerate(answers)
        if one.error is None and normalise_answer(one.member.text or "") == winning
    ]
    best = max(supporters, key=lambda index: (voters[answers[index].place].weight, -index))
    return Verdict(scored(answers, shares), best, agreement=weight_by_answer[winning] / total)


def _tally(answers: Sequence[Answer], voters: Sequence[Contestant]) -> dict[str, float]:
    weights: defaultdict[str, float] = defaultdict(float)
    for one in sorted(answers, key=lambda answer: answer.place):
        weights[normalise_answer(one.member.text or "")] += voters[one.place].weight
    return dict(weights)


def _is_decided(done: Sequence[Answer], voters: Sequence[Contestant]) -> bool:
    """Whether the second answer, with every vote that is still out, stays behind the first."""
    weights = sorted(_tally([one for one in done if one.error is None], voters).values(), reverse=True)
    if not weights:
        return False
    asked = {one.place for one in done}
    open_weight = sum(one.weight for place, one in enumerate(voters) if place not in asked)
    return weights[0] > (weights[1] if len(weights) > 1 else 0.0) + open_weight
