"""What the experiments desk is asked and answers, beside ExperimentConfig and ExperimentStatus."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.experiments import NAME_PATTERN, ExperimentState

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
MAX_ITEM_PARTS = 4096
MAX_LABELS = 10_000

ResultFile = Literal["report.html", "report.md", "cells.parquet", "outcomes.parquet", "analysis.json"]
"""What can be read of an experiment, as its directory names it."""


class ItemsPart(Contract):
    """PUT /admin/v1/experiments/items: one piece of a JSONL text, a DatasetItem a line, known by its own content."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the whole text in UTF-8."""
    index: int = Field(default=0, ge=0, lt=MAX_ITEM_PARTS)
    n_parts: int = Field(default=1, ge=1, le=MAX_ITEM_PARTS)
    lines: str = Field(min_length=1, repr=False)
    """This part of the text, cut anywhere."""


class ItemsReceipt(Contract):
    """What the server has of an upload."""

    sha256: str
    n_items: int | None = Field(default=None, ge=0)
    """None = parts are missing still."""
    missing: tuple[int, ...] = ()
    """Parts that have not come."""


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


RunAction = Literal["run", "rescore"]
"""run: ask the open cells, score, analyse, report; rescore: the same without a call."""


class RunEnd(Contract):
    """How an experiment's process ended."""

    state: ExperimentState
    """done, failed, cancelled or interrupted."""
    error: str | None = None
    notes: tuple[str, ...] = ()
    tracked_at: str | None = None
    """Address of the tracker's run."""


class FileSize(Contract):
    """A result file, before it is read in pieces."""

    n_bytes: int = Field(ge=0)


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
