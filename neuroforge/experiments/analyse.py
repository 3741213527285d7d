"""Cells of a finished (or stopped) run -> Analysis: every number with its interval, and what may be said of it."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.analysis import Analysis, BenchmarkScore, Comparison, JudgeReport, MetricSummary
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.contracts.rules import Insight
from neuroforge.experiments.analysis.across import compare_across
from neuroforge.experiments.analysis.comparisons import compare_pairs
from neuroforge.experiments.analysis.failures import count_failures
from neuroforge.experiments.analysis.insights import find_insights
from neuroforge.experiments.analysis.metrics import Metric, measure_metrics
from neuroforge.experiments.analysis.notes import find_notes
from neuroforge.experiments.analysis.pareto import find_pareto
from neuroforge.experiments.analysis.provenance import find_provenance
from neuroforge.experiments.analysis.summaries import Scope, find_scopes, summarise
from neuroforge.experiments.analysis.summary import say_benchmarks, say_gates, summarise_in_words
from neuroforge.experiments.analysis.winner import find_ranks, find_winner
from neuroforge.experiments.gate import check_gate
from neuroforge.experiments.item_lines import ITEMS_FILE
from neuroforge.experiments.outcomes import OUTCOMES_FILE, export_outcomes
from neuroforge.experiments.planned import resolve_planned
from neuroforge.experiments.table import CellTable, read_cells

_Scoped = tuple[tuple[Scope, NDArray[np.bool_]], ...]


@dataclass(frozen=True)
class _Measured:
    """What was read of a run."""

    table: CellTable
    metrics: tuple[Metric, ...]
    scoped: _Scoped

    @property
    def quality(self) -> Metric:
        return self.metrics[0]


class ResultAnalyzer:
    """Turns results into what can be said about them. Holds no state: one serves every experiment."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s

    async def analyze_results(
        self,
        results: MatrixResult,
        benchmarks: Sequence[BenchmarkScore] | None = None,
        *,
        judge: JudgeReport | None = None,
    ) -> Analysis:
        """Return summaries, comparisons, verdicts, gates and insights; write outcomes.parquet beside the cells.

        The same cells and seed give the same analysis. Works in a thread of its own: 40 s of one core for 100,000 cells
        of 12 variants.

        Args:
            benchmarks: Told in the summary.
            judge: How far its grades can be trusted, where there was one.
        Raises:
            DataError: The cells or items cannot be read, or no cell has been done.
            RequestError: A gate or a planned pair names a variant that does not exist, or several.
        """
        return await asyncio.to_thread(self._analyze, results, tuple(benchmarks or ()), judge)

    async def generate_insights(
        self, results: MatrixResult, *, judge: JudgeReport | None = None
    ) -> tuple[Insight, ...]:
        """Return which model does better on which kind of task, for the router; none from a judge without trust.

        Raises:
            DataError: As `analyze_results`.
        """
        measured = await asyncio.to_thread(_measure, results)
        return await asyncio.to_thread(_find_insights, measured, results, judge)

    def _analyze(
        self, results: MatrixResult, benchmarks: tuple[BenchmarkScore, ...], judge: JudgeReport | None
    ) -> Analysis:
        plan, config = results.plan, results.plan.config
        planned = resolve_planned(config.planned, plan.variants)
        measured = _measure(results)
        ids = measured.table.variant_ids
        comparisons = tuple(_compare(measured, config, planned))
        summaries = _with_ranks(tuple(_summarise(measured, config)), comparisons, measured)
        is_trusted = judge is None or judge.is_trusted
        winner = find_winner(measured.quality, ids, measured.scoped[0][1], config.seed) if is_trusted else None
        pareto = find_pareto(ids, summaries)
        gates = tuple(check_gate(gate, measured.quality, plan.variants, config.seed, judge) for gate in config.gates)
        outcomes_path = Path(results.cells).with_name(OUTCOMES_FILE)
        n_outcomes = export_outcomes(
            measured.table, config, plan.variants, Path(plan.directory) / ITEMS_FILE, outcomes_path
        )
        return Analysis(
            experiment_id=plan.id,
            name=config.name,
            created_at_s=self._now_s(),
            config=config,
            variants=plan.variants,
            n_items=len(measured.table.items),
            summaries=summaries,
            comparisons=comparisons,
            across_tasks=compare_across(ids, summaries),
            winner=winner,
            summary=(
                *summarise_in_words(winner, summaries, comparisons, pareto, judge),
                *say_gates(gates),
                *say_benchmarks(benchmarks),
            ),
            pareto=pareto,
            insights=_find_insights(measured, results, judge),
            gates=gates,
            judge=judge,
            failures=count_failures(measured.table),
            progress=results.progress,
            estimate=plan.estimate,
            provenance=find_provenance(plan),
            notes=tuple(find_notes(results, measured.table, measured.metrics, n_outcomes)),
        )


def _measure(results: MatrixResult) -> _Measured:
    table = read_cells(Path(results.cells), [one.id for one in results.plan.variants])
    metrics = measure_metrics(table, results.plan.config.metrics)
    return _Measured(table, metrics, tuple((scope, table.select_items(*scope)) for scope in find_scopes(table)))


def _summarise(measured: _Measured, config: ExperimentConfig) -> Iterator[MetricSummary]:
    for metric in measured.metrics:
        for scope, _ in measured.scoped:
            yield from summarise(measured.table, metric, scope, config.seed)


def _compare(measured: _Measured, config: ExperimentConfig, planned: Sequence[tuple[str, str]]) -> Iterator[Comparison]:
    """Yield quality on every scope, and over everything each other metric that was asked for."""
    ids = measured.table.variant_ids
    for metric in measured.metrics:
        if metric is measured.quality:
            yield from compare_pairs(metric, ids, measured.scoped, planned, config.seed)
        elif metric.family in config.metrics:
            yield from compare_pairs(metric, ids, measured.scoped[:1], planned, config.seed)


def _with_ranks(
    summaries: tuple[MetricSummary, ...], comparisons: Sequence[Comparison], measured: _Measured
) -> tuple[MetricSummary, ...]:
    """Return the summaries over everything with the interval of each rank, where all pairs were compared."""
    ranks: dict[tuple[str, str], tuple[int, int]] = {}
    for metric in measured.metrics:
        overall = [one for one in summaries if one.metric == metric.name and _is_overall(one)]
        means = [None if one.estimate is None else one.estimate.mean for one in overall]
        compared = [one for one in comparisons if one.metric == metric.name and _is_overall(one)]
        found = find_ranks(metric, means, measured.table.variant_ids, compared)
        ranks.update({(metric.name, variant_id): interval for variant_id, interval in found.items()})
    return tuple(
        MetricSummary(**{**dict(one), "rank_low": rank[0], "rank_high": rank[1]})
        if _is_overall(one) and (rank := ranks.get((one.metric, one.variant_id))) is not None
        else one
        for one in summaries
    )


def _is_overall(one: MetricSummary | Comparison) -> bool:
    return one.dataset is None and one.task is None


def _find_insights(measured: _Measured, results: MatrixResult, judge: JudgeReport | None) -> tuple[Insight, ...]:
    if judge is not None and not judge.is_trusted:
        return ()
    plan = results.plan
    return find_insights(measured.quality, measured.table.items, plan.variants, plan.id, plan.config.seed)
