"""RoutingRules -> `RulesView` (what holds for a task, looked up fast) and `diff_rules` (what changes, for people)."""

from collections.abc import Iterator

from neuroforge.contracts.rules import QualityPrior, RoutingRules, Threshold
from neuroforge.contracts.tasks import TASK_TYPES, TaskType

SCALARS = ("holdout_share", "explore", "quality_floor")
"""Fields that hold one value; a proposal that leaves them out keeps what is in force."""
_RECORD = ("version", "reason", "evidence", "created_at_s")
"""Fields that tell of the rules but demand nothing."""
_UNBOUND = Threshold()


class RulesView:
    """What the rules demand, by task; a rule for the task comes before the rule for every task.

    A task of None is a request whose task is not known: only rules for every task hold for it.
    """

    def __init__(self, rules: RoutingRules) -> None:
        self.rules = rules
        tasks: tuple[TaskType | None, ...] = (None, *TASK_TYPES)
        self._excluded: dict[TaskType | None, frozenset[str]] = {
            task: frozenset(one.model_id for one in rules.exclusions if one.task in (None, task)) for task in tasks
        }
        self._pins = {task: self._find_pin(task) for task in tasks}
        self._thresholds = {
            task: _tighten(one for one in rules.thresholds if one.task in (None, task)) for task in tasks
        }
        self._priors = {(one.model_id, one.task): one for one in rules.priors}

    def pin(self, task: TaskType | None) -> str | None:
        """The model that answers this task whenever it can. An excluded model is never pinned."""
        return self._pins[task]

    def is_excluded(self, model_id: str, task: TaskType | None) -> bool:
        """Whether the model must not answer this task."""
        return model_id in self._excluded[task]

    def excluded(self, task: TaskType | None) -> frozenset[str]:
        """All models that must not answer this task."""
        return self._excluded[task]

    def threshold(self, task: TaskType | None) -> Threshold:
        """The bounds for this task: of each kind the tightest among those for the task and those for every task."""
        return self._thresholds[task]

    def prior(self, model_id: str, task: TaskType | None) -> QualityPrior | None:
        """What is believed of the model before outcomes say more; None = nothing."""
        return self._priors.get((model_id, task)) or self._priors.get((model_id, None))

    def _find_pin(self, task: TaskType | None) -> str | None:
        by_task = {one.task: one.model_id for one in self.rules.pins}
        for wanted in (task, None):
            model_id = by_task.get(wanted)
            if model_id is not None and model_id not in self._excluded[task]:
                return model_id
        return None


def _tighten(thresholds: Iterator[Threshold]) -> Threshold:
    found = tuple(thresholds)
    if not found:
        return _UNBOUND
    qualities = [one.min_quality for one in found if one.min_quality is not None]
    latencies = [one.max_latency_s for one in found if one.max_latency_s is not None]
    costs = [one.max_cost_usd for one in found if one.max_cost_usd is not None]
    return Threshold(
        min_quality=max(qualities, default=None),
        max_latency_s=min(latencies, default=None),
        max_cost_usd=min(costs, default=None),
    )


def same_demands(left: RoutingRules, right: RoutingRules) -> bool:
    """Whether both demand the same, whatever their versions and reasons."""
    exclude = set(_RECORD)
    return left.model_dump(exclude=exclude) == right.model_dump(exclude=exclude)


def diff_rules(old: RoutingRules, new: RoutingRules) -> tuple[str, ...]:
    """What changes, a line a rule; () = nothing.

    For example `+ pin code: qwen`, `- exclude math: tiny`, `~ explore: true -> false`.
    """
    before, after = set(_lines(old)), set(_lines(new))
    changed = [f"- {line}" for line in _lines(old) if line not in after]
    changed += [f"+ {line}" for line in _lines(new) if line not in before]
    for name in SCALARS:
        was, becomes = getattr(old, name), getattr(new, name)
        if was != becomes:
            changed.append(f"~ {name}: {_text(was)} -> {_text(becomes)}")
    return tuple(changed)


def _lines(rules: RoutingRules) -> list[str]:
    lines = [f"pin {one.task or 'every task'}: {one.model_id}" for one in rules.pins]
    lines += [f"exclude {one.task or 'every task'}: {one.model_id}" for one in rules.exclusions]
    lines += [
        f"prior {one.task or 'every task'}: {one.model_id} = {one.quality:g} (as {one.strength:g} outcomes)"
        for one in rules.priors
    ]
    for one in rules.thresholds:
        bounds = one.model_dump(exclude={"task"}, exclude_none=True)
        lines.append(f"threshold {one.task or 'every task'}: {', '.join(f'{k} {v:g}' for k, v in bounds.items())}")
    return lines


def _text(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
