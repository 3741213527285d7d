"""`benchmark list|run`: named suites of public datasets, asked and scored as they were published."""

from typing import Annotated

import typer

from cluster.cli.experiment_run import START_TIMEOUT_S, DetachOption, start_and_follow
from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, shared

app = typer.Typer(help="Ask models the questions of public benchmarks.", no_args_is_help=True)


@app.command("list")
def list_suites(as_json: JsonOption = False) -> None:
    """List the suites: their datasets, and how far each is the published protocol."""
    from neuroforge.experiments.suites import SUITES

    rows = [(suite.name, member.dataset, member.protocol) for suite in SUITES.values() for member in suite.members]
    if as_json:
        print_json([{"suite": suite, "dataset": dataset, "protocol": protocol} for suite, dataset, protocol in rows])
    else:
        print_table(("SUITE", "DATASET", "PROTOCOL"), rows)


@app.command()
def run(
    context: typer.Context,
    suite: Annotated[str, typer.Argument(help="A name of `benchmark list`.")],
    models: Annotated[list[str], typer.Option("--model", "--models", "-m", help="An id; repeatable, or with commas.")],
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Questions of each dataset, drawn; else all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the drawing.")] = 0,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only check it and show the estimate.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the start.")] = False,
    is_detached: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a suite on models; an experiment like any other, found again by `experiment list`."""
    from neuroforge.experiments.benchmarks import BenchmarkSuite

    ids = [one.strip() for given in models for one in given.split(",") if one.strip()]
    config = BenchmarkSuite().config(suite, ids, limit, seed)
    with shared(context).client(START_TIMEOUT_S) as client:
        start_and_follow(client, config, is_dry, is_sure, is_detached, as_json)
