"""What the experiments desk is asked and answers, beside ExperimentConfig and ExperimentStatus."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.experiments import NAME_PATTERN
from neuroforge.contracts.runs import ID_PATTERN

MAX_LABELS = 10_000

ResultFile = Literal["report.html", "report.md", "cells.parquet", "outcomes.parquet", "analysis.json"]
"""What can be read of an experiment, as its directory names it."""


class HumanLabel(Contract):
    """A person's grade of one cell."""

    cell_id: str = Field(min_length=1, max_length=128)
    value: float = Field(ge=0, le=1)
    reason: str | None = Field(default=None, max_length=2000)


class LabelSheet(Contract):
    """POST /admin/v1/experiments/{id}/labels."""

    labels: tuple[HumanLabel, ...] = Field(min_length=1, max_length=MAX_LABELS)


class LabelTask(Contract):
    """A reply for a person to grade. The variant is not told, so that the grade cannot lean on it."""

    cell_id: str
    item_id: str
    query: str = Field(repr=False)
    references: tuple[str, ...] = Field(default=(), repr=False)
    reply: str = Field(repr=False)
    value: float | None = None
    """An earlier grade by a person."""


class LabelReceipt(Contract):
    """How many labels were taken."""

    n_labels: int = Field(ge=0)
    n_cells: int = Field(ge=0)
    """Cells that have a label now."""


class CompareRequest(Contract):
    """POST /admin/v1/experiments/compare."""

    a: str = Field(pattern=ID_PATTERN)
    b: str = Field(pattern=ID_PATTERN)


class RerunRequest(Contract):
    """POST /admin/v1/experiments/{id}/rerun."""

    name: str | None = Field(default=None, pattern=NAME_PATTERN)
    """None = the same."""
    use_cache: bool = False
    """A rerun asks again unless told otherwise."""


class TrackedRun(Contract):
    """What a tracker is told of one finished experiment or optimisation: never a cell."""

    experiment: str = Field(min_length=1)
    """Runs of one name are compared with each other."""
    run_name: str = Field(min_length=1)
    parameters: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    """Aggregates by name, an interval as `name.low` and `name.high`."""
    tags: dict[str, str] = Field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    """Files on this machine."""
