"""`data show|export|purge`: what is kept of requests, through the running server or in the database when none runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import bytes_text, print_json, time_text
from cluster.cli.shared import JsonOption, OfflineOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.outcomes import DataSummary

app = typer.Typer(help="Show, export and delete what is kept of requests.", no_args_is_help=True)


@app.command()
def show(context: typer.Context, is_offline: OfflineOption = False, as_json: JsonOption = False) -> None:
    """Show how much is kept, since when, and every place that holds some of it."""
    from cluster.cli.data_desk import open_data_desk

    with open_data_desk(shared(context), is_offline) as desk:
        found = desk.data_summary()
    if as_json:
        print_json(found)
    else:
        print_summary(found)


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Ends in .parquet; on the server's machine.", dir_okay=False)],
    after_seq: Annotated[int, typer.Option("--after", min=0, help="Only outcomes after this number.")] = 0,
    is_for_fit: Annotated[
        bool, typer.Option("--for-fit", help="Only what `router fit` can use: outcomes with a text and a score.")
    ] = False,
    is_offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write outcomes as Parquet; with --for-fit as `neuroforge router fit --outcomes` reads it."""
    from cluster.cli.data_desk import open_data_desk

    with open_data_desk(shared(context), is_offline) as desk:
        report = desk.export_data(str(file.absolute()), after_seq, is_for_fit)
    if as_json:
        print_json(report)
    else:
        typer.echo(f"{report.n_rows} outcomes in {report.path}")
        if is_for_fit and report.n_rows == 0:
            typer.echo("none has a text and a score: set router.record to text, and send feedback", err=True)


@app.command()
def purge(
    context: typer.Context,
    key_id: Annotated[str | None, typer.Option("--key", help="Only of the caller with this key id.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Only what is older, such as 12h or 7d.")
    ] = None,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    is_offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete outcomes, feedback, embeddings, texts and what was learned of them, our Parquet exports included.

    Without --key also the texts of experiments and of optimisations of prompts: their numbers stay.
    """
    from cluster.cli.data_desk import open_data_desk

    before_s = _before(older_than)
    whose = "of all callers" if key_id is None else f"of key {key_id}"
    when = "" if older_than is None else f" older than {older_than}"
    if not is_sure:
        typer.confirm(f"Delete everything that is kept {whose}{when}? This cannot be undone.", abort=True, err=True)
    with open_data_desk(shared(context), is_offline) as desk:
        report = desk.purge_data(key_id, before_s)
    if as_json:
        print_json(report)
    else:
        typer.echo(f"{report.n_outcomes} outcomes deleted, with all that belonged to them")
        if key_id is None:
            typer.echo(
                f"texts of {report.n_experiments} experiments and {report.n_prompt_runs} prompt runs, "
                f"and {report.n_cached_replies} kept replies deleted"
            )


def print_summary(found: "DataSummary") -> None:
    """Write it for people."""
    typer.echo(f"record {found.record}, kept for {found.retention_days:g} days")
    typer.echo(
        f"{found.n_outcomes} outcomes, {found.n_feedback} feedback, {found.n_embeddings} embeddings, "
        f"{found.n_texts} texts; {bytes_text(found.bytes_on_disk)}"
    )
    typer.echo(f"{found.n_experiments} experiments with their texts, {found.n_cached_replies} replies kept for reuse")
    typer.echo(f"{found.n_prompt_runs} optimisations of prompts with their texts")
    if found.oldest_s is not None:
        typer.echo(f"from {time_text(found.oldest_s)} to {time_text(found.newest_s)}")
    for place in found.places:
        typer.echo(place)


def _before(older_than: str | None) -> float | None:
    if older_than is None:
        return None
    from neuroforge.contracts.durations import parse_duration_s

    try:
        return time.time() - float(parse_duration_s(older_than))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--older-than") from error
