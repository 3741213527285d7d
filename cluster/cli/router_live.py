"""`router status|apply`: what the running router has learned, and the fit that it decides by."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.outcomes import RouterStatus

APPLY_TIMEOUT_S = 120.0
COLUMNS = ("MODEL", "OUTCOMES")


def add_commands(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.command("status")(status)
    app.command("apply")(apply)


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the router's versions, what it has learned from, and its gain over the best single model."""
    with shared(context).client() as client:
        found = client.router_status()
    if as_json:
        print_json(found)
    else:
        print_status(found)


def apply(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Made by `neuroforge router fit --out`.", file_okay=False)],
    is_on_server: Annotated[
        bool, typer.Option("--on-server", help="The directory lies on the server's machine: nothing is sent.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the running server decide by this router directory; what it learned online on the one before is set aside."""
    from neuroforge.client import calls_learning
    from neuroforge.contracts.outcomes import FitUpload

    with shared(context).client(APPLY_TIMEOUT_S) as client:
        upload = FitUpload(path=str(directory)) if is_on_server else calls_learning.fit_upload(directory)
        found = client.apply_upload(upload)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"fit {found.fit_id[:12]} is in force since router version {found.version}")


def print_status(found: "RouterStatus") -> None:
    """Write it for people."""
    fit = f"fit {found.fit_id[:12]}" if found.fit_id else "no fit (neuroforge router fit, then router apply)"
    if found.has_clusters:
        fit += ", learning by kinds found in the traffic"
    typer.echo(f"router version {found.version}; {fit}; rules version {found.rules_version}")
    typer.echo(
        f"record {found.record}: {found.n_outcomes} outcomes, {found.n_scored} of them scored, {found.n_dropped} lost"
    )
    if found.uplift is not None:
        gain = found.uplift
        typer.echo(
            f"gain over always {gain.holdout_model}: {gain.mean:+.3f} (95 %: {gain.low:+.3f} to {gain.high:+.3f}; "
            f"{gain.n_router} against {gain.n_holdout} scored answers)"
        )
    else:
        typer.echo(f"gain over the best single model: not known yet: {found.uplift_reason}")
    if found.n_outcomes_by_model:
        print_table(COLUMNS, [(name, f"{n:.0f}") for name, n in sorted(found.n_outcomes_by_model.items())])
