"""RoutingRules: what operators and insights demand of the router; versioned, with reason and evidence."""

from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.tasks import TASK_TYPES, TaskType
from neuroforge.errors import RequestError


class Pin(Contract):
    """Requests of this task go to this model whenever it can answer."""

    model_id: str
    task: TaskType | None = None
    """None = every task."""


class Exclusion(Contract):
    """This model never answers requests of this task (a caller who names the model still gets it)."""

    model_id: str
    task: TaskType | None = None


class QualityPrior(Contract):
    """What is believed of a model before outcomes say more."""

    model_id: str
    quality: float = Field(ge=0, le=1)
    strength: float = Field(default=20.0, gt=0)
    """In outcomes: as if so many had been seen."""
    task: TaskType | None = None


class Threshold(Contract):
    """Bounds for a task, as if each request brought them; a request's own bound counts when it is tighter."""

    task: TaskType | None = None
    min_quality: float | None = Field(default=None, ge=0, le=1)
    max_latency_s: float | None = Field(default=None, gt=0)
    max_cost_usd: float | None = Field(default=None, ge=0)


class RoutingRules(Contract):
    """One of the three messages that change a running system. Nothing learns its way around a rule."""

    version: int = Field(default=0, ge=0)
    """Given by the store when applied; 0 = the empty rules of a new fleet, or a proposal."""
    reason: str = "none yet"
    evidence: str | None = None
    """Id of the experiment, the replay or the person behind it."""
    created_at_s: float = Field(default=0.0, ge=0)
    pins: tuple[Pin, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    priors: tuple[QualityPrior, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    holdout_share: float = Field(default=0.05, ge=0, le=0.5)
    """Of the traffic goes to the best single model, to measure what the router gains."""
    explore: bool = True
    quality_floor: float = Field(default=0.1, ge=0, le=1)
    """A model is explored only if its quality, one deviation above what is predicted, comes so close to the best."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "RoutingRules":
        _refuse_doubles("pins for", [pin.task or "every task" for pin in self.pins])
        _refuse_doubles("priors for", [f"{one.model_id} on {one.task or 'every task'}" for one in self.priors])
        _refuse_doubles("thresholds for", [one.task or "every task" for one in self.thresholds])
        excluded = {(one.model_id, one.task) for one in self.exclusions}
        for pin in self.pins:
            if (pin.model_id, pin.task) in excluded or (pin.model_id, None) in excluded:
                raise ValueError(f"{pin.model_id!r} is both pinned and excluded for {pin.task or 'every task'}")
        return self

    def named_models(self) -> Iterator[tuple[str, str]]:
        """Where a model is named and which, for example ("pins[0].model_id", "small")."""
        yield from ((f"pins[{index}].model_id", one.model_id) for index, one in enumerate(self.pins))
        yield from ((f"exclusions[{index}].model_id", one.model_id) for index, one in enumerate(self.exclusions))
        yield from ((f"priors[{index}].model_id", one.model_id) for index, one in enumerate(self.priors))


def _refuse_doubles(what: str, names: list[str]) -> None:
    if double := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two {what} {double}")


def check_models(rules: RoutingRules, known: Collection[str]) -> None:
    """Return if the rules can be put in force on a fleet of these models.

    Raises:
        RequestError: A rule names another model, or no model would be left for a task; names the rule and the models.
    """
    ids = sorted(known)
    for path, model_id in rules.named_models():
        if model_id not in known:
            raise RequestError(
                f"{path}: the model {model_id!r} does not exist; known: {', '.join(ids) or 'none'}",
                param=path,
                model_id=model_id,
                known=ids,
            )
    for task in (None, *TASK_TYPES):
        if ids and {one.model_id for one in rules.exclusions if one.task in (None, task)} >= set(ids):
            what = "every task" if task is None else f"the task {task!r}"
            raise RequestError(
                f"exclusions: no model would be left for {what}; leave one of {', '.join(ids)} in", param="exclusions"
            )


RulesState = Literal["proposed", "shadow", "applied", "superseded", "rolled_back", "refused"]


class Estimate(Contract):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_ordered(self) -> "Estimate":
        if not self.low <= self.mean <= self.high:
            raise ValueError(f"the mean {self.mean:g} lies outside its interval {self.low:g}..{self.high:g}")
        return self


class Insight(Contract):
    """What an experiment or an analysis found: how two models compare on a task."""

    model_id: str
    other_model_id: str
    task: TaskType | None = None
    """None = over all tasks."""
    difference: Estimate
    """Mean quality of `model_id` less that of the other, paired, 95 % interval; n = questions that both answered."""
    quality: float | None = Field(default=None, ge=0, le=1)
    """Mean quality of `model_id` on them; None = not told, so no prior can be made of it."""
    source: str = Field(min_length=1, max_length=200)
    """Id of the experiment or analysis."""

    @model_validator(mode="after")
    def _compares_two(self) -> "Insight":
        if self.model_id == self.other_model_id:
            raise ValueError(f"an insight compares two models, not {self.model_id!r} with itself")
        return self


class InsightRequest(Contract):
    """POST /admin/v1/router/rules/insights."""

    insights: tuple[Insight, ...] = Field(min_length=1, max_length=1000)
    shadow: bool = False
    """Let the rules run in shadow when the logged outcomes do not prove them."""


class ReplayReport(Contract):
    """What the rules would have earned on logged outcomes."""

    value: Estimate
    """Mean quality under the new rules, doubly robust."""
    baseline: Estimate
    """Under the rules in force."""
    difference: Estimate
    """Paired."""
    effective_sample_size: float = Field(ge=0)
    """(sum of weights)^2 / sum of squared weights, over the logged decisions that the rules would change: the others
    say nothing about the difference."""
    n_changed: int = Field(ge=0)
    """Logged decisions that the rules would change."""
    unsupported_share: float = Field(default=0.0, ge=0, le=1)
    """Of the changed choices goes to models that the log could never have chosen there: no outcome speaks of them."""


class RulesEntry(Contract):
    """Rules with what became of them."""

    rules: RoutingRules
    proposal_id: str
    state: RulesState
    base_version: int = Field(default=0, ge=0)
    """In force when they were proposed: what the replay compared them with."""
    replay: ReplayReport | None = None
    shadow: Estimate | None = None
    """Predicted gain on live traffic while in shadow."""
    note: str | None = None
    """Why it was refused or rolled back."""
    applied_at_s: float | None = None
    restored_version: int | None = Field(default=None, ge=0)
    """Which version a rollback put in force again; None = no rollback."""
