"""Analysis -> report.html, report.md and analysis.json in the experiment's directory."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from neuroforge.contracts.analysis import Analysis, BenchmarkScore, ExperimentReport
from neuroforge.contracts.experiment_run import ExperimentPlan, MatrixResult
from neuroforge.errors import DataError
from neuroforge.experiments.reporting.markdown import render_markdown
from neuroforge.experiments.reporting.view import build_view
from neuroforge.pages.page import render_page

TEMPLATES = "neuroforge.experiments.reporting"
HTML_FILE, MARKDOWN_FILE, ANALYSIS_FILE = "report.html", "report.md", "analysis.json"


class ReportGenerator:
    """Writes what people read. Holds no state."""

    async def generate_comprehensive_report(
        self,
        experiment: ExperimentPlan,
        results: MatrixResult,
        benchmarks: Sequence[BenchmarkScore] | None,
        analysis: Analysis,
    ) -> ExperimentReport:
        """Write the report of a run in its directory, in place of an earlier one. Works in a thread of its own.

        Of many items the page shows the most telling, so that it opens on a phone whatever the size of the run.
        Raises:
            DataError: Cells or items cannot be read, the analysis is another experiment's, or a file cannot be written.
        """
        if analysis.experiment_id != experiment.id:
            raise DataError(f"the analysis is of {analysis.experiment_id}, the experiment is {experiment.id}")
        return await asyncio.to_thread(_write, Path(experiment.directory), results, tuple(benchmarks or ()), analysis)


def _write(
    directory: Path, results: MatrixResult, benchmarks: tuple[BenchmarkScore, ...], analysis: Analysis
) -> ExperimentReport:
    view = build_view(results, benchmarks, analysis)
    _replace(directory / HTML_FILE, render_page(TEMPLATES, view=view, analysis=view.analysis))
    _replace(directory / MARKDOWN_FILE, render_markdown(view))
    _replace(directory / ANALYSIS_FILE, analysis.model_dump_json(indent=1))
    return ExperimentReport(
        experiment_id=analysis.experiment_id,
        html_path=str(directory / HTML_FILE),
        markdown_path=str(directory / MARKDOWN_FILE),
        analysis_path=str(directory / ANALYSIS_FILE),
        summary=analysis.summary,
    )


def _replace(path: Path, text: str) -> None:
    """Write in one step: the file that is there is either the old or the new one, whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: the report cannot be written: {error.strerror}") from error
