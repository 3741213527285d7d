"""`experiment labels export|import`: people's grades, with which a judge is compared."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, shared

app = typer.Typer(help="Export replies for people to grade, and import the grades.", no_args_is_help=True)


@app.command("export")
def export_labels(
    context: typer.Context,
    experiment_id: Annotated[str, typer.Argument(help="From `experiment list`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A .jsonl or .csv file: fill in `value`, 0 to 1.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many replies.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Write replies to grade, without the names of the models."""
    from cluster.cli.label_files import write_tasks

    with shared(context).client() as client:
        tasks = client.experiments.labels(experiment_id, limit)
    write_tasks(out, tasks)
    if as_json:
        print_json({"path": str(out), "n_tasks": len(tasks)})
    else:
        typer.echo(f"{out}: {len(tasks)} replies; fill in `value` (0 to 1), then: "
                   f"neuroforge experiment labels import {experiment_id} {out}")  # fmt: skip


@app.command("import")
def import_labels(
    context: typer.Context,
    experiment_id: Annotated[str, typer.Argument(help="From `experiment list`.")],
    file: Annotated[Path, typer.Argument(help="What `labels export` wrote, graded; other lines are passed over.")],
    as_json: JsonOption = False,
) -> None:
    """Hand in grades; `experiment rescore` lets them count."""
    from cluster.cli.label_files import read_labels

    labels = read_labels(file)
    with shared(context).client() as client:
        receipt = client.experiments.add_labels(experiment_id, labels)
    if as_json:
        print_json(receipt)
    else:
        typer.echo(f"{receipt.n_labels} labels taken; {receipt.n_cells} cells have one. "
                   f"Let them count: neuroforge experiment rescore {experiment_id}")  # fmt: skip
