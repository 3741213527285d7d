"""RoutingRules: what operators and insights demand of the router; versioned, with reason and evidence."""

from typing import Literal

from pydantic import Field, model_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.tasks import TaskType


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
    """Exploration stays within this much of the best predicted quality."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "RoutingRules":
        tasks = [pin.task for pin in self.pins]
        if len(set(tasks)) < len(tasks):
            raise ValueError("two pins for one task")
        excluded = {(one.model_id, one.task) for one in self.exclusions}
        for pin in self.pins:
            if (pin.model_id, pin.task) in excluded or (pin.model_id, None) in excluded:
                raise ValueError(f"{pin.model_id!r} is both pinned and excluded for {pin.task or 'every task'}")
        return self


RulesState = Literal["proposed", "shadow", "applied", "superseded", "rolled_back", "refused"]


class Estimate(Contract):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int = Field(ge=0)


class ReplayReport(Contract):
    """What the rules would have earned on logged outcomes."""

    value: Estimate
    """Mean quality under the new rules, doubly robust."""
    baseline: Estimate
    """Under the rules in force."""
    difference: Estimate
    """Paired."""
    effective_sample_size: float = Field(ge=0)
    n_changed: int = Field(ge=0)
    """Logged decisions that the rules would change."""


class RulesEntry(Contract):
    """Rules with what became of them."""

    rules: RoutingRules
    proposal_id: str
    state: RulesState
    replay: ReplayReport | None = None
    shadow: Estimate | None = None
    """Predicted gain on live traffic while in shadow."""
    note: str | None = None
    """Why it was refused or rolled back."""
    applied_at_s: float | None = None
