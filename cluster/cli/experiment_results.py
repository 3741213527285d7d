"""`experiment list|show|compare|export|report`: what experiments found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.experiment_progress import progress_text
from cluster.cli.output import age_text, print_json, print_table, time_text
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.analysis import Analysis, Comparison, MetricSummary
    from neuroforge.contracts.experiments import ExperimentStatus
    from neuroforge.contracts.rules import Estimate

READ_TIMEOUT_S = 300.0
IdArgument = Annotated[str, typer.Argument(help="From `experiment list`.")]
SUMMARY_COLUMNS = ("VARIANT", "METRIC", "MEAN (95 %)", "RANK", "SCORED", "NOT SCORED", "ERRORS")
COMPARISON_COLUMNS = ("METRIC", "A", "B", "A - B (95 %)", "P", "VERDICT")


def list_experiments(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List experiments, newest first."""
    import time

    with shared(context).client() as client:
        found = client.experiments.list(limit)
    if as_json:
        print_json(found)
        return
    rows = [(one.id, one.name, one.state, _done(one), age_text(one.created_at_s, time.time())) for one in found]
    print_table(("ID", "NAME", "STATE", "CELLS", "AGE"), rows, "no experiments; start one: neuroforge experiment run")


def show(context: typer.Context, experiment_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show where an experiment stands, and what it found if it has ended."""
    from neuroforge.errors import ConflictError

    with shared(context).client(READ_TIMEOUT_S) as client:
        status = client.experiments.status(experiment_id)
        try:
            analysis = client.experiments.analysis(experiment_id)
        except ConflictError:  # not there yet; the status says why
            analysis = None
    if as_json:
        print_json({"status": status, "analysis": analysis})
    elif analysis is None:
        print_status(status)
    else:
        print_analysis(status, analysis)


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="The one.")],
    b: Annotated[str, typer.Argument(help="The other, such as the one before.")],
    as_json: JsonOption = False,
) -> None:
    """Compare two experiments, paired on the items that both asked."""
    with shared(context).client(READ_TIMEOUT_S) as client:
        found = client.experiments.compare(a, b)
    if as_json:
        print_json(found)
        return
    for line in (*found.summary, *found.notes):
        typer.echo(line)
    print_table(COMPARISON_COLUMNS, [_comparison_row(one) for one in found.comparisons], "nothing in common")


def export(
    context: typer.Context,
    experiment_id: IdArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="A .parquet, .csv or .jsonl file.")],
    are_outcomes: Annotated[
        bool, typer.Option("--outcomes", help="Scores by model and question instead, for `router fit`; .parquet.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one row a cell: question, reply, score, tokens, times, cost."""
    from neuroforge.errors import RequestError

    allowed = (".parquet",) if are_outcomes else (".parquet", ".csv", ".jsonl")
    if out.suffix not in allowed:
        raise RequestError(f"--out {out}: the name must end in {' or '.join(allowed)}", param="out")
    if are_outcomes:
        with shared(context).client(READ_TIMEOUT_S) as client:
            client.experiments.outcomes(experiment_id, out)
        print_json({"path": str(out)}) if as_json else typer.echo(f"{out}; learn from it: neuroforge router fit {out}")
        return
    with shared(context).client(READ_TIMEOUT_S) as client:
        table = client.experiments.cells(experiment_id, out if out.suffix == ".parquet" else None)
    if out.suffix == ".csv":
        import pyarrow.csv

        pyarrow.csv.write_csv(table, out)
    elif out.suffix == ".jsonl":
        import json

        with out.open("w", encoding="utf-8") as lines:
            for row in table.to_pylist():
                lines.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    if as_json:
        print_json({"path": str(out), "n_rows": table.num_rows})
    else:
        typer.echo(f"{out}: {table.num_rows} cells")


def report(
    context: typer.Context,
    experiment_id: IdArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File; .md for Markdown. Without one Markdown is printed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the report: a page that needs no network, or Markdown."""
    with shared(context).client(READ_TIMEOUT_S) as client:
        if out is None:
            import tempfile

            with tempfile.TemporaryDirectory() as folder:
                text = client.experiments.report(experiment_id, Path(folder) / "report.md")
        else:
            text = client.experiments.report(experiment_id, out)
    if as_json:
        print_json({"path": str(out) if out else None, "report": None if out else text})
    else:
        typer.echo(text if out is None else f"written: {out}")


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the group."""
    app.command("list")(list_experiments)
    for command in (show, compare, export, report):
        app.command()(command)


def print_status(status: "ExperimentStatus") -> None:
    """Where it stands, for people."""
    typer.echo(f"{status.id} {status.name!r}: {progress_text(status)}, since {time_text(status.created_at_s)}")
    if status.error:
        typer.echo(f"error: {status.error}")
    for note in status.notes:
        typer.echo(f"note: {note}")
    if status.tracked_at:
        typer.echo(f"tracked: {status.tracked_at}")


def print_analysis(status: "ExperimentStatus", analysis: "Analysis") -> None:
    """What was found, the words first."""
    print_status(status)
    typer.echo("")
    for line in analysis.summary:
        typer.echo(line)
    overall = [one for one in analysis.summaries if one.dataset is None and one.task is None]
    typer.echo("")
    print_table(SUMMARY_COLUMNS, [_summary_row(one) for one in overall], "nothing was measured")
    for gate in analysis.gates:
        typer.echo(f"{'holds' if gate.holds else 'FAILS'}: {gate.sentence}")
    for note in analysis.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"\nreport: neuroforge experiment report {status.id} --out report.html")


def _summary_row(one: "MetricSummary") -> tuple[str, ...]:
    rank = "-" if one.rank_low is None else f"{one.rank_low}-{one.rank_high}"
    return (
        one.variant_id,
        one.metric,
        "-" if one.estimate is None else _estimate(one.estimate),
        rank,
        str(one.n_scored),
        str(one.n_unscored),
        str(one.n_errors),
    )


def _comparison_row(one: "Comparison") -> tuple[str, ...]:
    better = {"a_better": one.a, "b_better": one.b}.get(one.verdict)
    verdict = "no difference shown" if better is None else f"{better} is better"
    return one.metric, one.a, one.b, _estimate(one.difference, sign="+"), f"{one.p_adjusted:.3g}", verdict


def _estimate(one: "Estimate", sign: str = "") -> str:
    return f"{one.mean:{sign}.3f} [{one.low:{sign}.3f}, {one.high:{sign}.3f}]"


def _done(status: "ExperimentStatus") -> str:
    progress = status.progress
    return "-" if progress is None else f"{progress.n_done}/{progress.n_cells}"
