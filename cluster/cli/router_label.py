"""`router label`: hosted models x labelled questions -> an outcome file that `router fit` reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from neuroforge.datasets.fleet import LabelPlan, LabelResult

ANSWER_TIMEOUT_S = 600.0
INCOMPLETE = 3


def label(
    context: typer.Context,
    datasets: Annotated[
        list[str], typer.Option("--dataset", metavar="NAME[:N]", help="N questions of a registry dataset or a file.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Outcome file, .parquet or .jsonl.")],
    models: Annotated[list[str] | None, typer.Option("--model", help="Ids; without one, all that can chat.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Start no call after this; run it again.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Calls at once; else each model's slots.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample of questions and of decoding.")] = 0,
    rescore: Annotated[bool, typer.Option("--rescore", help="Judge the kept replies again.")] = False,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run code without a sandbox if there is none.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the hosted models labelled questions, score the answers, and write outcomes to fit a router on.

    Run again with the same options it goes on where it was. Exit status 3: answers are missing still.
    """
    from neuroforge.datasets.ask import AskSettings
    from neuroforge.datasets.fleet import LabelPlan
    from neuroforge.datasets.pipeline import Source

    plan = LabelPlan(
        sources=tuple(Source.parse(one) for one in datasets),
        out=out,
        model_ids=tuple(models or ()),
        settings=AskSettings(seed=seed),
        sample_seed=seed,
        concurrency=concurrency,
        max_s=max_seconds,
        is_rescored=rescore,
    )
    result = _run(shared(context), plan, allow_unsandboxed)
    _print(result, out, as_json)
    raise typer.Exit(INCOMPLETE if result.progress.n_left else 0)


def _run(options: Shared, plan: "LabelPlan", allow_unsandboxed: bool) -> "LabelResult":
    import time

    from cluster.cli.models_assets import open_assets
    from neuroforge.datasets.fleet import label_fleet
    from neuroforge.datasets.report import Reporter
    from neuroforge.scoring.sandbox import Sandbox

    reporter = Reporter(lambda text: typer.echo(text, err=True), time.monotonic)
    with options.client(timeout_s=ANSWER_TIMEOUT_S) as client:
        return label_fleet(plan, client, open_assets(options), Sandbox(allow_unsandboxed=allow_unsandboxed), reporter)


def _print(result: "LabelResult", out: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from neuroforge.datasets.report import table

    if as_json:
        print_json(
            {
                "out": str(out),
                "n_rows": result.n_rows,
                "n_missing": result.progress.n_left,
                "unscored": result.unscored,
                "summaries": [asdict(one) for one in result.summaries],
            }
        )
        return
    typer.echo(table(result))
    if result.n_rows:
        typer.echo(f"written: {out}, {result.n_rows} questions")
