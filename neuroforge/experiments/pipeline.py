"""setup -> matrix -> judge -> benchmarks -> analysis -> report: one experiment from its configuration to its report."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from neuroforge.contracts.analysis import Analysis, BenchmarkScore, ExperimentReport, JudgeReport
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import ExperimentPlan, MatrixResult
from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.errors import ConflictError
from neuroforge.experiments.analyse import ResultAnalyzer
from neuroforge.experiments.rescore import drop_scores, without_calls
from neuroforge.experiments.run import PLAN, ExperimentRunner


class Benchmarks(Protocol):
    """BenchmarkSuite."""

    async def run_benchmarks(self, results: MatrixResult) -> tuple[BenchmarkScore, ...]:
        """What the results say of named suites; empty where they are of none."""
        ...


class Reporter(Protocol):
    """ReportGenerator."""

    async def generate_comprehensive_report(
        self,
        experiment: ExperimentPlan,
        results: MatrixResult,
        benchmarks: Sequence[BenchmarkScore],
        analysis: Analysis,
    ) -> ExperimentReport:
        """Write report and analysis into the experiment's directory."""
        ...


class Grader(Protocol):
    """The judge, where the configuration names one."""

    async def grade(self, results: MatrixResult) -> JudgeReport | None:
        """Grade what has no grade yet, and put the grades into the cells; None = no judge was asked for."""
        ...

    async def report(self, results: MatrixResult) -> JudgeReport | None:
        """What it has said so far, without a call; None = no judge was asked for."""
        ...


@dataclass(frozen=True)
class FinishedExperiment:
    """Everything of one run."""

    results: MatrixResult
    analysis: Analysis
    report: ExperimentReport


class ExperimentationPlatform:
    """Runs one experiment in its directory; made anew for each. A run that was interrupted goes on where it was."""

    def __init__(
        self,
        runner: ExperimentRunner,
        grader: Grader | None,
        benchmarks: Benchmarks,
        analyzer: ResultAnalyzer,
        reporter: Reporter,
    ) -> None:
        self._runner = runner
        self._grader = grader
        self._benchmarks = benchmarks
        self._analyzer = analyzer
        self._reporter = reporter

    async def run_comprehensive_experiment(
        self, config: ExperimentConfig, items: Iterable[DatasetItem] | None = None
    ) -> ExperimentReport:
        """Run, analyse and report. Args and errors as `run_experiment`."""
        return (await self.finish(await self.run_experiment(config, items))).report

    async def run_experiment(
        self, config: ExperimentConfig, items: Iterable[DatasetItem] | None = None
    ) -> MatrixResult:
        """Ask and score every cell that is open, and return where the results are.

        Args:
            items: None = those of an earlier setup in the same directory.
        Raises:
            As ExperimentRunner.setup_experiment and execute_matrix.
        """
        plan = await self._runner.setup_experiment(config, items)
        return await self._runner.execute_matrix(plan)

    async def rescore(self) -> MatrixResult:
        """Score the kept replies again, without a call to any model; `finish` it without asking the judge either.

        Raises:
            ConflictError: Nothing was planned here yet, or another process works in the directory.
        """
        path = self._runner.directory / PLAN
        if not path.is_file():
            raise ConflictError(f"{path.parent.name}: nothing was asked yet, so there is nothing to score")
        plan = ExperimentPlan.model_validate_json(path.read_bytes())
        self._runner.hold()
        await asyncio.to_thread(drop_scores, self._runner.directory)
        result = await self._runner.execute_matrix(without_calls(plan))
        return MatrixResult(**{**dict(result), "plan": plan})

    async def finish(self, results: MatrixResult, may_ask_judge: bool = True) -> FinishedExperiment:
        """Judge, benchmark, analyse, report. Replies that the judge has left over make the run `interrupted`.

        Args:
            may_ask_judge: False = what it has not judged yet stays so, and is counted.
        Raises:
            DataError: Nothing was answered, so there is nothing to analyse.
        """
        judged = await self._judge(results, may_ask_judge)
        if judged is not None and judged.n_open and results.state == "done":
            results = MatrixResult(**{**dict(results), "state": "interrupted"})
        benchmarks = await self._benchmarks.run_benchmarks(results)
        analysis = await self._analyzer.analyze_results(results, benchmarks, judge=judged)
        report = await self._reporter.generate_comprehensive_report(results.plan, results, benchmarks, analysis)
        return FinishedExperiment(results, analysis, report)

    async def _judge(self, results: MatrixResult, may_ask: bool) -> JudgeReport | None:
        if self._grader is None:
            return None
        return await (self._grader.grade(results) if may_ask else self._grader.report(results))


def result_files(finished: FinishedExperiment) -> tuple[Path, ...]:
    """Return what is worth keeping elsewhere."""
    report = finished.report
    paths = (report.html_path, report.markdown_path, report.analysis_path, finished.results.cells)
    return tuple(Path(path) for path in paths)
