"""Summaries by dataset and by task -> tables of variants x slices, with what is shown on each."""

from collections.abc import Sequence
from dataclasses import dataclass

from neuroforge.contracts.analysis import Analysis, MetricSummary
from neuroforge.experiments.analysis.summary import say_lead
from neuroforge.experiments.reporting.contestants import Contestant


@dataclass(frozen=True)
class SliceCell:
    """One variant on one slice."""

    text: str
    interval: str
    share: float | None
    """Mean quality, for the shade; None = not scored."""
    is_best: bool


@dataclass(frozen=True)
class Slice:
    """One dataset or task."""

    name: str
    n_items: int
    cells: tuple[SliceCell, ...]
    """In the contestants' order."""
    leader: Contestant | None
    """Highest mean; None where there is nothing to compare."""
    told: str
    """What the corrected tests show of the lead."""


@dataclass(frozen=True)
class SliceTable:
    """All datasets, or all tasks."""

    title: str
    slices: tuple[Slice, ...]


def build_slices(analysis: Analysis, contestants: Sequence[Contestant]) -> tuple[SliceTable, ...]:
    """Return the tables in which anything was scored; tasks that are the datasets by another name are left out."""
    by_dataset = _build(analysis, contestants, "dataset")
    by_task = _build(analysis, contestants, "task")
    same = sorted(_numbers(one) for one in by_dataset) == sorted(_numbers(one) for one in by_task)
    tables = [SliceTable("By dataset", by_dataset), SliceTable("By kind of task", () if same else by_task)]
    return tuple(one for one in tables if any(cell.share is not None for row in one.slices for cell in row.cells))


def _numbers(one: Slice) -> tuple[tuple[str, str], ...]:
    return tuple((cell.text, cell.interval) for cell in one.cells)


def _build(analysis: Analysis, contestants: Sequence[Contestant], axis: str) -> tuple[Slice, ...]:
    by_slice: dict[str, dict[str, MetricSummary]] = {}
    for one in analysis.summaries:
        if one.metric == "quality" and (name := getattr(one, axis)) is not None:
            by_slice.setdefault(name, {})[one.variant_id] = one
    return tuple(_build_slice(analysis, contestants, axis, name, found) for name, found in by_slice.items())


def _build_slice(
    analysis: Analysis, contestants: Sequence[Contestant], axis: str, name: str, found: dict[str, MetricSummary]
) -> Slice:
    means = {one: summary.estimate.mean for one, summary in found.items() if summary.estimate is not None}
    best = max(means.values(), default=None)
    leader = next((one for one in contestants if len(means) > 1 and means.get(one.id) == best), None)
    own = [one for one in analysis.comparisons if one.metric == "quality" and getattr(one, axis) == name]
    return Slice(
        name=name,
        n_items=max((one.estimate.n for one in found.values() if one.estimate is not None), default=0),
        cells=tuple(_build_cell(found.get(one.id), best) for one in contestants),
        leader=leader,
        told="nothing to compare" if leader is None else say_lead(leader.id, own, len(means) - 1),
    )


def _build_cell(summary: MetricSummary | None, best: float | None) -> SliceCell:
    if summary is None or summary.estimate is None:
        return SliceCell("–", "", None, is_best=False)
    estimate = summary.estimate
    return SliceCell(
        text=f"{100 * estimate.mean:.1f}",
        interval=f"{100 * estimate.low:.0f} – {100 * estimate.high:.0f}",
        share=estimate.mean,
        is_best=estimate.mean == best,
    )
