"""`apply`: make the running fleet what the settings file says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.fleet import FleetDiff

COLUMNS = ("MODEL", "CHANGE", "SETTINGS", "RESTARTS")


def add_commands(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command("apply")(apply)


def apply(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Settings file; else the one in use.", dir_okay=False)] = None,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would change.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Load, unload or update the models that differ from the settings file; the others are not touched."""
    options = shared(context)
    models = options.settings(file).models
    with options.client() as client:
        diff = client.apply(models, dry_run=is_dry_run)
    if as_json:
        print_json(diff)
        return
    print_diff(diff)


def print_diff(diff: "FleetDiff") -> None:
    """Write the models that differ, then whether that was done."""
    changes = [change for change in diff.changes if change.kind != "none"]
    rows = [
        (change.model_id, change.kind, ", ".join(change.fields), "yes" if change.needs_restart else "no")
        for change in changes
    ]
    print_table(COLUMNS, rows, empty="nothing differs")
    if changes:
        typer.echo("applied" if diff.applied else "nothing was changed (dry run)")
