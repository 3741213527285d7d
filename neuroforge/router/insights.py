"""Insights -> RoutingRules to propose: pins, exclusions and priors that they prove, beside the rules in force.

Only what is certain becomes a rule: of several insights on the same pair and task the inverse-variance mean counts, and
its whole 95 % interval must lie beyond a margin. Rules that are there already are kept and win: an insight neither
moves a pin nor lifts an exclusion.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from neuroforge.contracts.rules import Exclusion, Insight, Pin, QualityPrior, RoutingRules
from neuroforge.contracts.tasks import TASK_TYPES, TaskType
from neuroforge.errors import RequestError
from neuroforge.router.replay import Z_95
from neuroforge.router.rules import RulesView, diff_rules

PIN_MARGIN = 0.02
"""A pin needs this lead at least, over every other model of the fleet: it also takes the task's cost and latency out of
the router's hands."""
EXCLUDE_MARGIN = 0.10
"""A model that is certainly this much worse than another that stays is not asked any more."""
MOST_STRENGTH = 100.0
"""A prior never counts for more outcomes than this: live traffic may differ from an experiment's questions."""
_LEAST_ERROR = 1e-3
_LONGEST_REASON = 500


class _Lead(NamedTuple):
    """How sure one model is ahead of another."""

    mean: float
    low: float
    high: float


_Leads = dict[tuple[str, str], _Lead]
"""By (model, other model), each pair both ways round."""


def propose_from_insights(
    insights: Sequence[Insight], in_force: RoutingRules, model_ids: Sequence[str]
) -> RoutingRules:
    """The rules in force with what the insights add; version 0, with reason and evidence.

    Args:
        insights: Of one source and pair the last counts.
        in_force: Rules that stay.
        model_ids: The fleet; a pin needs an insight against each of them that is not excluded.
    Raises:
        RequestError: An insight names a model that the fleet does not have, or together they add nothing.
    """
    _check_models(insights, model_ids)
    wanted = in_force
    for task in dict.fromkeys(one.task for one in insights):
        wanted = _add_task(wanted, [one for one in insights if one.task == task], task, model_ids)
    sources = ", ".join(sorted({one.source for one in insights}))
    lines = diff_rules(in_force, wanted)
    if not lines:
        raise RequestError(
            f"{len(insights)} insights from {sources} add no rule: no difference is certain enough (a pin needs a "
            f"lead of {PIN_MARGIN:g} over every other model, an exclusion a deficit of {EXCLUDE_MARGIN:g}), or the "
            f"rules in force say so already",
            param="insights",
        )
    about = {
        "version": 0,
        "reason": f"insights: {'; '.join(lines)}"[:_LONGEST_REASON],
        "evidence": sources[:_LONGEST_REASON],
    }
    return RoutingRules.model_validate({**wanted.model_dump(), **about})


def _add_task(
    rules: RoutingRules, insights: Sequence[Insight], task: TaskType | None, model_ids: Sequence[str]
) -> RoutingRules:
    """The rules with what insights on one task add."""
    view = RulesView(rules)
    leads = _pool(insights)
    fleet = [model_id for model_id in model_ids if not view.is_excluded(model_id, task)]
    pinned = {view.pin(task)} if task is not None else {pin.model_id for pin in rules.pins}
    dominated = [model_id for model_id in _dominated(leads, fleet) if model_id not in pinned]
    worse = [] if _leaves_none(view, task, dominated, model_ids) else dominated
    best = _champion(leads, [model_id for model_id in fleet if model_id not in worse])
    new_pins = (Pin(model_id=best, task=task),) if best is not None and view.pin(task) is None else ()
    new_priors = _priors(insights, task)
    replaced = {(one.model_id, one.task) for one in new_priors}
    kept_priors = [one for one in rules.priors if (one.model_id, one.task) not in replaced]
    new_exclusions = [Exclusion(model_id=model_id, task=task) for model_id in worse]
    return RoutingRules(
        **{
            **dict(rules),
            "pins": (*rules.pins, *new_pins),
            "exclusions": (*rules.exclusions, *new_exclusions),
            "priors": (*kept_priors, *new_priors),
        }
    )


def _leaves_none(view: RulesView, task: TaskType | None, worse: Sequence[str], model_ids: Sequence[str]) -> bool:
    """Whether these exclusions, with those for single tasks, would leave a task without any model."""
    tasks: Sequence[TaskType | None] = (task,) if task is not None else (None, *TASK_TYPES)
    return any(view.excluded(one) | set(worse) >= set(model_ids) for one in tasks)


def _check_models(insights: Sequence[Insight], model_ids: Sequence[str]) -> None:
    for index, one in enumerate(insights):
        for name in ("model_id", "other_model_id"):
            if (model_id := getattr(one, name)) not in model_ids:
                known = sorted(model_ids)
                raise RequestError(
                    f"insights[{index}].{name}: the model {model_id!r} does not exist; "
                    f"known: {', '.join(known) or 'none'}",
                    param=f"insights[{index}].{name}",
                    model_id=model_id,
                    known=known,
                )


def _pool(insights: Iterable[Insight]) -> _Leads:
    """Inverse-variance mean over sources; each pair both ways round."""
    newest: dict[tuple[str, str, str], tuple[float, float]] = {}
    for one in insights:
        first, second = sorted((one.model_id, one.other_model_id))
        sign = 1.0 if one.model_id == first else -1.0
        error = max((one.difference.high - one.difference.low) / (2 * Z_95), _LEAST_ERROR)
        newest[first, second, one.source] = (sign * one.difference.mean, error)
    by_pair: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for (first, second, _), found in newest.items():
        by_pair.setdefault((first, second), []).append(found)
    leads: _Leads = {}
    for (first, second), found_all in by_pair.items():
        precision = sum(error**-2 for _, error in found_all)
        mean = sum(value * error**-2 for value, error in found_all) / precision
        half_width = Z_95 / math.sqrt(precision)
        leads[first, second] = _Lead(mean, mean - half_width, mean + half_width)
        leads[second, first] = _Lead(-mean, -mean - half_width, -mean + half_width)
    return leads


def _dominated(leads: _Leads, fleet: Sequence[str]) -> list[str]:
    """Models that one which is not itself dominated beats by the margin, in the fleet's order."""
    beaten_by = {
        model_id: {
            other
            for other in fleet
            if (lead := leads.get((other, model_id))) is not None and lead.low >= EXCLUDE_MARGIN
        }
        for model_id in fleet
    }
    standing = {model_id for model_id, winners in beaten_by.items() if not winners}
    return [model_id for model_id, winners in beaten_by.items() if winners & standing]


def _champion(leads: _Leads, fleet: Sequence[str]) -> str | None:
    """The model that certainly leads every other one; None with fewer than two models."""
    if len(fleet) < 2:
        return None
    for model_id in fleet:
        found = [leads.get((model_id, other)) for other in fleet if other != model_id]
        if all(lead is not None and lead.low >= PIN_MARGIN for lead in found):
            return model_id
    return None


def _priors(insights: Sequence[Insight], task: TaskType | None) -> list[QualityPrior]:
    """Mean quality over sources, weighted by questions; a source counts once however many comparisons it has."""
    told: dict[tuple[str, str], tuple[float, int]] = {}
    for one in insights:
        if one.quality is not None and one.difference.n > 0:
            told[one.model_id, one.source] = (one.quality, one.difference.n)
    priors = []
    for model_id in dict.fromkeys(model_id for model_id, _ in told):
        found = [value for (name, _), value in told.items() if name == model_id]
        n = sum(count for _, count in found)
        quality = sum(value * count for value, count in found) / n
        priors.append(
            QualityPrior(model_id=model_id, quality=quality, strength=min(float(n), MOST_STRENGTH), task=task)
        )
    return priors
