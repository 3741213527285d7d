"""`router fit|evaluate|predict`: outcome files -> a router directory, how good it would be, what it expects."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from neuroforge.router.embedder import StaticEmbedder
    from neuroforge.router.fit.pipeline import Progress

SkipOption = Annotated[bool, typer.Option("--skip-bad-rows", help="Go on with the good rows of a file with bad ones.")]
OUTCOME_HELP = "Parquet or JSONL: query, scores {model: 0..1}, optional costs {model: USD} and task."


def add_commands(app: typer.Typer) -> None:
    """Put the three commands into the group."""
    app.command("fit")(fit)
    app.command("evaluate")(evaluate)
    app.command("predict")(predict)


def fit(
    context: typer.Context,
    outcomes: Annotated[Path, typer.Option("--outcomes", help=OUTCOME_HELP, dir_okay=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Router directory; else FILE's name with .router beside it.")
    ] = None,
    skip_bad_rows: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Learn from outcomes which model answers what best, and write a router directory."""
    from neuroforge.router.fit.run import fit_outcome_file

    embedder = load_configured_embedder(shared(context))
    with _report(as_json) as progress:
        directory = out or outcomes.with_suffix(".router")
        found = fit_outcome_file(outcomes, directory, embedder, progress, skip_bad_rows=skip_bad_rows)
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found.directory}: {found.n_outcomes} outcomes of {len(found.models)} models")
    typer.echo("base weights: " + ", ".join(f"{name} {weight:.2f}" for name, weight in found.base_weights.items()))
    typer.echo(f"apply it with `neuroforge router apply {found.directory}`")


def evaluate(
    context: typer.Context,
    outcomes: Annotated[Path, typer.Option("--outcomes", help=f"To train on. {OUTCOME_HELP}", dir_okay=False)],
    test: Annotated[Path, typer.Option("--test", help="To test on, in the same format.", dir_okay=False)],
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the cost-quality curve as PNG.")] = None,
    skip_bad_rows: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit on one file and measure on another: scores, cost-quality curve, calibration, decision time."""
    from neuroforge.router.fit.report import describe
    from neuroforge.router.fit.run import evaluate_files

    embedder = load_configured_embedder(shared(context))
    with _report(as_json) as progress:
        found = evaluate_files(outcomes, test, embedder, progress, skip_bad_rows=skip_bad_rows)
    if plot is not None:
        from neuroforge.router.fit.plot import plot_evaluation

        plot_evaluation(plot, found)
    if as_json:
        print_json(found)
        return
    for line in describe(found):
        typer.echo(line)


def predict(
    context: typer.Context,
    router: Annotated[Path, typer.Option("--router", help="Made by `router fit`.", file_okay=False)],
    queries: Annotated[Path, typer.Option("--queries", help="Parquet or JSONL with `query`.", dir_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Print what each model is expected to score, one entry a query in the file's order."""
    from neuroforge.router.fit.run import predict_file

    embedder = load_configured_embedder(shared(context))
    with _report(as_json) as progress:
        found = predict_file(router, queries, embedder, progress)
    if as_json:
        print_json([one._asdict() for one in found])
        return
    rows = [
        (str(number), one.model, f"{one.quality[one.model]:.3f} ± {one.std[one.model]:.3f}")
        for number, one in enumerate(found, start=1)
    ]
    print_table(("QUERY", "MODEL", "QUALITY"), rows)


def load_configured_embedder(options: Shared) -> "StaticEmbedder":
    """Return the embedder that the settings name, pulled if it is not here yet.

    Raises:
        AssetNotFound: It cannot be had. DataError: Its files are no embedder.
    """
    from cluster.cli.models_assets import open_assets
    from neuroforge.router.embedder import load_embedder

    return load_embedder(open_assets(options).ensure(options.settings().router.embedder))


@contextmanager
def _report(is_quiet: bool) -> "Iterator[Progress | None]":
    """Yield a progress function that writes to stderr; None when a program reads."""
    if is_quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("")

        def tell(what: str, n_done: int, n_all: int) -> None:
            bars.update(task, description=what, completed=n_done, total=n_all)

        yield tell
