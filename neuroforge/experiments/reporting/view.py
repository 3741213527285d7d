"""Everything that a report shows, ready to be printed: the templates only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from neuroforge.contracts.analysis import Analysis, BenchmarkScore
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.experiments.reporting import facts
from neuroforge.experiments.reporting.contestants import Contestant, rank_contestants
from neuroforge.experiments.reporting.forest import Forest, build_forest, list_comparisons
from neuroforge.experiments.reporting.items import ItemList, load_items
from neuroforge.experiments.reporting.leaderboard import PER_CALLS, Leaderboard, build_leaderboard
from neuroforge.experiments.reporting.slices import SliceTable, build_slices
from neuroforge.pages.scatter import Point, draw_scatter


@dataclass(frozen=True)
class Plot:
    """One picture with its heading."""

    title: str
    svg: Markup


@dataclass(frozen=True)
class ReportView:
    """What the templates are given."""

    analysis: Analysis
    created_at: str
    contestants: tuple[Contestant, ...]
    leaderboard: Leaderboard
    plots: tuple[Plot, ...]
    forest: Forest
    comparisons: tuple[tuple[str, ...], ...]
    n_comparisons: int
    slices: tuple[SliceTable, ...]
    items: ItemList
    benchmarks: tuple[BenchmarkScore, ...]
    failures: tuple[tuple[Contestant, str, str], ...]
    costs: facts.Pairs
    judge: facts.Pairs
    insights: tuple[tuple[str, ...], ...]
    methods: tuple[str, ...]
    """How intervals were made."""
    reproduction: facts.Reproduction


def build_view(results: MatrixResult, benchmarks: Sequence[BenchmarkScore], analysis: Analysis) -> ReportView:
    """Return the view.

    Raises:
        DataError: Cells or items cannot be read.
    """
    contestants = rank_contestants(analysis)
    comparisons, n_comparisons = list_comparisons(analysis)
    return ReportView(
        analysis=analysis,
        created_at=facts.say_time(analysis.created_at_s),
        contestants=contestants,
        leaderboard=build_leaderboard(analysis, contestants),
        plots=tuple(_draw_plots(contestants)),
        forest=build_forest(analysis, contestants),
        comparisons=comparisons,
        n_comparisons=n_comparisons,
        slices=build_slices(analysis, contestants),
        items=load_items(results, contestants),
        benchmarks=tuple(benchmarks),
        failures=facts.list_failures(analysis, contestants),
        costs=facts.list_costs(analysis),
        judge=facts.list_judge(analysis),
        insights=facts.list_insights(analysis),
        methods=tuple(dict.fromkeys(f"{one.metric}: {one.method}" for one in analysis.summaries if one.estimate)),
        reproduction=facts.tell_reproduction(analysis),
    )


def _draw_plots(contestants: Sequence[Contestant]) -> list[Plot]:
    """Return quality against latency and against cost, where they were measured and are not all zero."""
    found = []
    for metric, title, label in (
        ("latency_s", "Quality and latency", "mean latency of a call"),
        ("cost_usd", "Quality and cost", f"mean USD per {PER_CALLS:,} calls"),
    ):
        factor = PER_CALLS if metric == "cost_usd" else 1
        points = [point for one in contestants if (point := _point(one, metric, factor)) is not None]
        if points and any(one.x.mean > 0 for one in points):
            svg = draw_scatter(points, title, label, partial(_say_x, metric))
            found.append(Plot(title, svg))
    return found


def _say_x(metric: str, value: float) -> str:
    return f"{value:.3g}{' s' if metric == 'latency_s' else ''}"


def _point(one: Contestant, metric: str, factor: float) -> Point | None:
    quality, summary = one.summary_by_metric.get("quality"), one.summary_by_metric.get(metric)
    if quality is None or quality.estimate is None or summary is None or summary.estimate is None:
        return None
    x = summary.estimate
    scaled = type(x)(mean=factor * x.mean, low=factor * x.low, high=factor * x.high, n=x.n)
    return Point(one.number, one.id, one.css, scaled, quality.estimate)
