"""`prompts runs|status|resume|cancel|report`: optimisations on the server; `optimize --on-server` starts them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.experiment_run import INCOMPLETE
from cluster.cli.optimize_progress import OptimizeLine, progress_text
from cluster.cli.optimize_start import Ways, is_agreed
from cluster.cli.output import age_text, print_json, print_table, time_text
from cluster.cli.shared import JsonOption, Shared, shared
from cluster.cli.stop_run import stop_run

if TYPE_CHECKING:
    from neuroforge.client import Client
    from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
    from neuroforge.contracts.prompt_runs import PromptRunStatus

START_TIMEOUT_S = 600.0
"""A dataset may have to be fetched before the check is done."""
IdArgument = Annotated[str, typer.Argument(help="From `prompts runs`.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Return when it is queued; it goes on in the server.")]


def optimize_on_server(options: Shared, config: "OptimizeConfig", ways: Ways) -> None:
    """Show what it would take, ask, start it, and follow it to its end."""
    with options.client(START_TIMEOUT_S) as client:
        if is_agreed(config, client.prompts.runs.plan(config), ways):
            _follow(client, client.prompts.runs.start(config), ways.is_detached, ways.as_json)


def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List optimisations on the server, newest first."""
    import time

    with shared(context).client() as client:
        found = client.prompts.runs.list(limit)
    if as_json:
        print_json(found)
        return
    rows = [(one.id, one.name, one.state, _best(one), age_text(one.created_at_s, time.time())) for one in found]
    print_table(("ID", "NAME", "STATE", "BEST", "AGE"), rows, "none; start one: neuroforge optimize --on-server")


def show_status(context: typer.Context, run_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show where an optimisation stands, and what it found if it is done."""
    from neuroforge.errors import ConflictError

    with shared(context).client(START_TIMEOUT_S) as client:
        status = client.prompts.runs.status(run_id)
        try:
            result = client.prompts.runs.result(run_id)
        except ConflictError:  # not there yet, which the status says, or purged
            result = None
    if as_json:
        print_json({"status": status, "result": result})
        return
    typer.echo(f"{status.id} {status.name!r}: {_stand(status)}, since {time_text(status.created_at_s)}")
    if status.error:
        typer.echo(f"error: {status.error}")
    if result is not None:
        _print_result(result, status)


def resume(context: typer.Context, run_id: IdArgument, is_detached: DetachOption = False,
           as_json: JsonOption = False) -> None:  # fmt: skip
    """Go on with an optimisation; nothing that was answered is asked again."""
    with shared(context).client(START_TIMEOUT_S) as client:
        _follow(client, client.prompts.runs.resume(run_id), is_detached, as_json)


def cancel(context: typer.Context, run_id: IdArgument, as_json: JsonOption = False) -> None:
    """Stop an optimisation; what it has is kept, and it can be resumed."""
    with shared(context).client() as client:
        client.prompts.runs.cancel(run_id)
        status = client.prompts.runs.wait(run_id)
    print_json(status) if as_json else typer.echo(f"{status.id}: {status.state}")


def report(
    context: typer.Context,
    run_id: IdArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="An HTML file.", dir_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Fetch the report: a page that needs no network."""
    with shared(context).client(START_TIMEOUT_S) as client:
        client.prompts.runs.report(run_id, out)
    print_json({"path": str(out)}) if as_json else typer.echo(f"written: {out}")


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the group."""
    app.command("runs")(list_runs)
    app.command("status")(show_status)
    for command in (resume, cancel, report):
        app.command()(command)


def _follow(client: "Client", status: "PromptRunStatus", is_detached: bool, as_json: bool) -> None:
    """Show progress to the end, then what was found. Ctrl-C stops the run and says how to go on.

    Raises:
        typer.Exit: 3 = it was stopped.
    """
    runs = client.prompts.runs
    if is_detached:
        told = f"{status.id}: {status.state}; see: neuroforge prompts status {status.id}"
        print_json(status) if as_json else typer.echo(told)
        return
    typer.echo(f"{status.id}: {status.state}", err=True)
    line = OptimizeLine()
    try:
        runs.wait(status.id, lambda one: None if one.progress is None else line.show(one.progress))
    except KeyboardInterrupt:
        line.close()
        stop_run(runs, status.id, "neuroforge prompts resume")
        raise typer.Exit(INCOMPLETE) from None
    line.close()
    result = runs.outcome(status.id)
    print_json(result) if as_json else _print_result(result, status)


def _print_result(result: "OptimizationResult", status: "PromptRunStatus") -> None:
    from cluster.cli.optimize import print_result
    from neuroforge.prompts.delivered import is_undelivered

    print_result(result, Path(status.directory or ""))
    if is_undelivered(result):
        typer.echo(f"to try that again: neuroforge prompts resume {status.id}", err=True)


def _stand(status: "PromptRunStatus") -> str:
    return status.state if status.progress is None else f"{status.state}: {progress_text(status.progress)}"


def _best(status: "PromptRunStatus") -> str:
    best = None if status.progress is None else status.progress.best
    return "-" if best is None else f"{best.mean:.3f} [{best.low:.3f}, {best.high:.3f}]"
