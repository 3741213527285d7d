"""`router place MODEL`: a model that is new in the fleet answers the questions that tell most of it, and is rated."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from neuroforge.datasets.probe import ProbePlan, ProbeResult

ANSWER_TIMEOUT_S = 600.0
DEFAULT_DATASETS = ("mmlu", "commonsenseqa", "asdiv", "boolq")
"""Four kinds of question; none of them runs code."""


def place(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A hosted model's id.")],
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME[:N]",
            help=f"To choose from: a registry dataset or a labelled file; else {', '.join(DEFAULT_DATASETS)}.",
        ),
    ] = None,
    probes: Annotated[int, typer.Option("--probes", min=1, max=400, help="Questions that the model is asked.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the sample of questions and of decoding.")] = 0,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run code without a sandbox if there is none.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask MODEL a few telling questions and let the running router learn from its scores.

    Only MODEL is asked. The router chooses by what it expects of the others, and `auto` uses what it learned at once.
    """
    from neuroforge.datasets.ask import AskSettings
    from neuroforge.datasets.pipeline import Source
    from neuroforge.datasets.probe import ProbePlan

    plan = ProbePlan(
        model_id=model,
        sources=tuple(Source.parse(one) for one in datasets or DEFAULT_DATASETS),
        n_probes=probes,
        sample_seed=seed,
        settings=AskSettings(seed=seed),
    )
    result = _run(shared(context), plan, allow_unsandboxed)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(result))
    else:
        print_placement(result)


def _run(options: Shared, plan: "ProbePlan", allow_unsandboxed: bool) -> "ProbeResult":
    import time

    from cluster.cli.models_assets import open_assets
    from neuroforge.datasets import probe
    from neuroforge.datasets.report import Reporter
    from neuroforge.router.place import LinearPlacer
    from neuroforge.scoring.sandbox import Sandbox

    reporter = Reporter(lambda text: typer.echo(text, err=True), time.monotonic)
    sandbox = Sandbox(allow_unsandboxed=allow_unsandboxed)
    with options.client(timeout_s=ANSWER_TIMEOUT_S) as client:
        return probe.place(plan, client, open_assets(options), sandbox, LinearPlacer(), reporter)


def print_placement(found: "ProbeResult") -> None:
    """Write it for people."""
    typer.echo(
        f"{found.model_id}: {found.n_learned} answers of {found.n_pool} questions learned from, mean score "
        f"{found.mean_score:.3f}; expected of all {found.n_pool}: {found.expected:.3f}"
    )
    for why, n in sorted(found.unscored.items()):
        typer.echo(f"not scored: {n} ({why})")
    others = sorted(found.quality_of_others.items(), key=lambda pair: -pair[1])
    rows = [(found.model_id, f"{found.quality_before:.3f}", f"{found.quality_after:.3f}")]
    print_table(("MODEL", "BEFORE", "NOW"), rows + [(name, "-", f"{quality:.3f}") for name, quality in others])
