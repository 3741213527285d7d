"""`experiment labels export|import`: people's grades, with which a judge is compared."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, shared

if TYPE_CHECKING:
    from neuroforge.contracts.experiment_desk import HumanLabel

app = typer.Typer(help="Export replies for people to grade, and import the grades.", no_args_is_help=True)


@app.command("export")
def export_labels(
    context: typer.Context,
    experiment_id: Annotated[str, typer.Argument(help="From `experiment list`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A .jsonl file: fill in `value`, 0 to 1.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many replies.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Write replies to grade, without the names of the models."""
    with shared(context).client() as client:
        tasks = client.experiments.labels(experiment_id, limit)
    with out.open("w", encoding="utf-8") as lines:
        for task in tasks:
            lines.write(json.dumps(task.model_dump(mode="json"), ensure_ascii=False) + "\n")
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
    labels = read_labels(file)
    with shared(context).client() as client:
        receipt = client.experiments.add_labels(experiment_id, labels)
    if as_json:
        print_json(receipt)
    else:
        typer.echo(f"{receipt.n_labels} labels taken; {receipt.n_cells} cells have one. "
                   f"Let them count: neuroforge experiment rescore {experiment_id}")  # fmt: skip


def read_labels(file: Path) -> "list[HumanLabel]":
    """Return the graded lines.

    Raises:
        DataError: No line is graded, or one cannot be read: names it.
    """
    from pydantic import ValidationError

    from neuroforge.contracts.experiment_desk import HumanLabel
    from neuroforge.errors import DataError

    labels: list[HumanLabel] = []
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row: dict[str, Any] = json.loads(line)
            if row.get("value") is not None:
                labels.append(HumanLabel(cell_id=row["cell_id"], value=row["value"], reason=row.get("reason")))
        except (ValueError, KeyError, AttributeError, ValidationError) as error:
            told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise DataError(f"{file}, line {number}: {told}", line=number) from error
    if not labels:
        raise DataError(f"{file}: no line has a `value`")
    return labels
