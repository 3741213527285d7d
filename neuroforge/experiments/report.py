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
from neuroforge.storage.files import write_whole

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
            DataError: Cells or items cannot be read, or the analysis is another experiment's.
            DiskFull, StorageError: A file cannot be written; the earlier one is still there.
        """
        if analysis.experiment_id != experiment.id:
            raise DataError(f"the analysis is of {analysis.experiment_id}, the experiment is {experiment.id}")
        return await asyncio.to_thread(_write, Path(experiment.directory), results, tuple(benchmarks or ()), analysis)


def _write(
    directory: Path, results: MatrixResult, benchmarks: tuple[BenchmarkScore, ...], analysis: Analysis
) -> ExperimentReport:
    view = build_view(results, benchmarks, analysis)
    page = render_page(TEMPLATES, view=view, analysis=view.analysis)
    write_whole(directory / HTML_FILE, page.encode())
    write_whole(directory / MARKDOWN_FILE, render_markdown(view).encode())
    write_whole(directory / ANALYSIS_FILE, analysis.model_dump_json(indent=1).encode())
    return ExperimentReport(
        experiment_id=analysis.experiment_id,
        html_path=str(directory / HTML_FILE),
        markdown_path=str(directory / MARKDOWN_FILE),
        analysis_path=str(directory / ANALYSIS_FILE),
        summary=analysis.summary,
    )
