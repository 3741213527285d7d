"""Contestants -> rows of the leaderboard: quality with its interval and rank, distance to the leader, speed, cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from neuroforge.contracts.analysis import Analysis, Comparison, MetricSummary
from neuroforge.experiments.analysis.words import say_value
from neuroforge.experiments.reporting.contestants import Contestant
from neuroforge.pages.scale import Scale, fit_scale
from neuroforge.pages.strips import draw_axis, draw_strip

PER_CALLS = 1000
"""Calls whose cost is told: one alone costs too little to read."""


@dataclass(frozen=True)
class Cell:
    """One number of a row."""

    text: str
    value: float | None
    """For sorting; None = nothing is known."""
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One variant."""

    contestant: Contestant
    quality: str
    interval: str
    strip: Markup
    rank: str
    lag: Cell
    """Behind the leader."""
    cells: tuple[Cell, ...]
    """Under `Leaderboard.columns`."""
    counts: Cell
    is_winner: bool
    is_pareto: bool


@dataclass(frozen=True)
class Leaderboard:
    """The table."""

    columns: tuple[str, ...]
    axis: Markup
    rows: tuple[Row, ...]


def build_leaderboard(analysis: Analysis, contestants: Sequence[Contestant]) -> Leaderboard:
    """Return the rows in the contestants' order; a metric that nobody has is no column."""
    ends = [
        end
        for one in contestants
        if (quality := one.summary_by_metric.get("quality")) and quality.estimate
        for end in (quality.estimate.low, quality.estimate.high)
    ]
    scale = fit_scale(ends or [0.0, 1.0], within=(0.0, 1.0))
    shown = [metric for metric in _TITLES if any(_mean(one, metric) is not None for one in contestants)]
    return Leaderboard(
        columns=tuple(_TITLES[metric] for metric in shown),
        axis=draw_axis(scale, lambda value: f"{100 * value:.3g} %"),
        rows=tuple(_build_row(one, contestants[0], analysis, scale, shown) for one in contestants),
    )


_TITLES = {
    "consistency": "Consistency",
    "latency_s": "Latency, median",
    "ttft_s": "First token, median",
    "tokens_per_s": "Tokens a second",
    "cost_usd": f"USD per {PER_CALLS:,} calls",
}


def _build_row(one: Contestant, leader: Contestant, analysis: Analysis, scale: Scale, shown: Sequence[str]) -> Row:
    quality = one.summary_by_metric.get("quality")
    estimate = None if quality is None else quality.estimate
    return Row(
        contestant=one,
        quality="not scored" if estimate is None else say_value("quality", estimate.mean),
        interval="" if estimate is None else f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}",
        strip=Markup("") if estimate is None else draw_strip(estimate, scale, one.css),
        rank=_say_rank(quality),
        lag=_say_lag(one, leader, analysis),
        cells=tuple(_say_metric(one.summary_by_metric.get(metric), metric) for metric in shown),
        counts=_say_counts(quality),
        is_winner=analysis.winner == one.id,
        is_pareto=one.id in analysis.pareto,
    )


def _mean(one: Contestant, metric: str) -> float | None:
    summary = one.summary_by_metric.get(metric)
    return None if summary is None or summary.estimate is None else summary.estimate.mean


def _say_rank(quality: MetricSummary | None) -> str:
    if quality is None or quality.rank_low is None or quality.rank_high is None:
        return "–"
    if quality.rank_low == quality.rank_high:
        return f"{quality.rank_low}"
    return f"{quality.rank_low} – {quality.rank_high}"


def _say_lag(one: Contestant, leader: Contestant, analysis: Analysis) -> Cell:
    if one.id == leader.id:
        return Cell("leader" if _mean(one, "quality") is not None else "–", 0.0)
    found = find_comparison(analysis.comparisons, "quality", one.id, leader.id)
    if found is None:
        return Cell("–", None, "not compared")
    sign = 1.0 if found.a == one.id else -1.0
    note = "shown" if found.verdict != "no_difference_shown" else "not shown"
    difference = sign * 100 * found.difference.mean
    return Cell(f"{difference:+.1f}" if abs(difference) >= 0.05 else "0.0", difference, note)


def find_comparison(comparisons: Sequence[Comparison], metric: str, a: str, b: str) -> Comparison | None:
    """Return the comparison of two variants over everything, either way round; None = there is none."""
    return next(
        (
            one
            for one in comparisons
            if one.metric == metric and {one.a, one.b} == {a, b} and one.dataset is None and one.task is None
        ),
        None,
    )


def _say_metric(summary: MetricSummary | None, metric: str) -> Cell:
    if summary is None or summary.estimate is None:
        return Cell("–", None)
    estimate = summary.estimate
    if metric in ("latency_s", "ttft_s") and summary.p50 is not None and summary.p90 is not None:
        return Cell(say_value(metric, summary.p50), summary.p50, f"p90 {say_value(metric, summary.p90)}")
    if metric == "cost_usd":
        return Cell(say_value(metric, PER_CALLS * estimate.mean).removesuffix(" USD"), estimate.mean)
    if metric == "consistency":
        ends = f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}"
        return Cell(say_value(metric, estimate.mean), estimate.mean, ends)
    return Cell(say_value(metric, estimate.mean).removesuffix(" tok/s"), estimate.mean)


def _say_counts(quality: MetricSummary | None) -> Cell:
    if quality is None:
        return Cell("0", 0.0)
    missing = {"failed": quality.n_errors, "not scored": quality.n_unscored}
    note = ", ".join(f"{count:,} {what}" for what, count in missing.items() if count)
    return Cell(f"{quality.n_scored:,}", float(quality.n_scored), note)
