"""The command tree: one file a group."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli import (
    abtest,
    audit,
    benchmark,
    chat,
    config,
    data,
    doctor,
    experiment,
    feedback,
    fleet,
    keys,
    logs,
    models,
    optimize,
    prompts,
    router,
    server,
)
from cluster.cli.failures import FailingClearly
from cluster.cli.shared import Shared
from neuroforge import __version__

app = typer.Typer(
    name="neuroforge",
    help="Serve a fleet of open models on your own machines behind one OpenAI-compatible endpoint.",
    cls=FailingClearly,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"neuroforge {__version__}")
        raise typer.Exit


@app.callback()
def take_options(
    context: typer.Context,
    config_path: Annotated[
        Path | None, typer.Option("--config", "-c", help="Settings file; else the first of the usual places.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Server to talk to; else $NEUROFORGE_URL, else the one that runs here.")
    ] = None,
    debug: Annotated[  # noqa: ARG001 - FailingClearly reads it
        bool, typer.Option("--debug", help="Show the whole traceback of an error.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serve a fleet of open models on your own machines behind one OpenAI-compatible endpoint."""
    context.obj = Shared(config_path, url)


server.add_commands(app)
fleet.add_commands(app)
app.add_typer(models.app, name="models")
app.command("chat")(chat.chat)
app.add_typer(keys.app, name="keys")
app.add_typer(config.app, name="config")
app.command("doctor")(doctor.doctor)
app.command("logs")(logs.logs)
app.add_typer(audit.app, name="audit")
app.add_typer(data.app, name="data")
app.command("feedback")(feedback.feedback)
app.add_typer(router.app, name="router")
app.command("optimize")(optimize.optimize)
app.add_typer(prompts.app, name="prompts")
app.add_typer(experiment.app, name="experiment")
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(abtest.app, name="abtest")
