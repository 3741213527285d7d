"""`experiment run|resume|rerun|rescore|cancel`: what starts and stops an experiment, with its progress."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.experiment_progress import ProgressLine, print_estimate
from cluster.cli.output import print_json
from cluster.cli.shared import JsonOption, shared
from cluster.cli.stop_run import stop_run

if TYPE_CHECKING:
    from neuroforge.client import Client
    from neuroforge.client.experiment_outcome import ExperimentOutcome
    from neuroforge.contracts.experiments import ExperimentConfig, ExperimentStatus, Gate
    from neuroforge.experiments import Experiment

START_TIMEOUT_S = 600.0
"""A dataset may have to be fetched before the check is done."""
GATE_FAILED = 4
"""Not 2, which the shell gets for words that are no command."""
MAX_LEFT_OUT = 5
"""Unusable rows that are told one by one."""
INCOMPLETE = 3
"""Cells are open: a budget ended the run, its process was lost, or it was stopped."""
IdArgument = Annotated[str, typer.Argument(help="From `experiment list`.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Return when it is queued; it goes on in the server.")]


def run(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Experiment as YAML: name, models, datasets, prompts, metrics, ...")],
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", help="Fail unless it holds, as in `model_b >= model_a - 0.02`. Repeatable."),
    ] = None,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only check it and show the estimate.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the start.")] = False,
    is_detached: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run an experiment and show what was found. Exit status 4: a gate does not hold; 3: cells are open still."""
    from neuroforge.experiments.experiment_file import read_experiment

    experiment = read_experiment(file, _gates(gates or []))
    for problem in experiment.left_out[:MAX_LEFT_OUT]:
        typer.echo(f"left out: {problem}", err=True)
    if len(experiment.left_out) > MAX_LEFT_OUT:
        typer.echo(f"left out: {len(experiment.left_out) - MAX_LEFT_OUT} rows more", err=True)
    with shared(context).client(START_TIMEOUT_S) as client:
        start_and_follow(client, experiment, is_dry, is_sure, is_detached, as_json)


def start_and_follow(
    client: "Client",
    experiment: "Experiment | ExperimentConfig",
    is_dry: bool,
    is_sure: bool,
    is_detached: bool,
    as_json: bool,
) -> None:
    """Show the estimate, ask, start, follow to the end; raises typer.Exit with the gates' status."""
    from neuroforge.client.experiment_outcome import config_of

    estimate = client.experiments.estimate(experiment)
    if is_dry and as_json:
        print_json({"config": config_of(experiment), "estimate": estimate})
        return
    print_estimate(estimate, to_stderr=as_json)
    if is_dry:
        return
    if not is_sure and not as_json and not typer.confirm("start it?", default=True):
        raise typer.Exit(1)
    follow(client, client.experiments.start(experiment), is_detached, as_json)


def resume(context: typer.Context, experiment_id: IdArgument, is_detached: DetachOption = False,
           as_json: JsonOption = False) -> None:  # fmt: skip
    """Go on with what is open: cells, those that failed, replies that the judge has not judged."""
    with shared(context).client(START_TIMEOUT_S) as client:
        follow(client, client.experiments.resume(experiment_id), is_detached, as_json)


def rescore(context: typer.Context, experiment_id: IdArgument, is_detached: DetachOption = False,
            as_json: JsonOption = False) -> None:  # fmt: skip
    """Score and analyse the kept replies again, without a model call."""
    with shared(context).client(START_TIMEOUT_S) as client:
        follow(client, client.experiments.rescore(experiment_id), is_detached, as_json)


def rerun(
    context: typer.Context,
    experiment_id: IdArgument,
    name: Annotated[str | None, typer.Option("--name", help="Of the new one; else the same.")] = None,
    use_cache: Annotated[bool, typer.Option("--use-cache", help="Take replies that are kept.")] = False,
    is_detached: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the same configuration again, as a new experiment that asks every cell anew."""
    with shared(context).client(START_TIMEOUT_S) as client:
        follow(client, client.experiments.rerun(experiment_id, name, use_cache), is_detached, as_json)


def cancel(context: typer.Context, experiment_id: IdArgument, as_json: JsonOption = False) -> None:
    """Stop an experiment; what it has is kept, and it can be resumed."""
    with shared(context).client() as client:
        client.experiments.cancel(experiment_id)
        status = client.experiments.wait(experiment_id)
    if as_json:
        print_json(status)
    else:
        typer.echo(f"{status.id}: {status.state}")


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the group."""
    for command in (run, resume, rescore, rerun, cancel):
        app.command()(command)


def follow(client: "Client", status: "ExperimentStatus", is_detached: bool, as_json: bool) -> None:
    """Show progress to the end, then what was found. Ctrl-C stops the experiment and says how to go on.

    Raises:
        typer.Exit: 4 = a gate does not hold; 3 = cells are open.
    """
    if is_detached:
        print_json(status) if as_json else typer.echo(f"{status.id}: {status.state}; {_how_to_follow(status.id)}")
        return
    typer.echo(f"{status.id}: {status.state}", err=True)
    line = ProgressLine()
    try:
        client.experiments.wait(status.id, line.show)
    except KeyboardInterrupt:
        line.close()
        stop_run(client.experiments, status.id, "neuroforge experiment resume")
        raise typer.Exit(INCOMPLETE) from None
    line.close()
    _tell(client.experiments.outcome(status.id), as_json)


def _tell(outcome: "ExperimentOutcome", as_json: bool) -> None:
    analysis, status = outcome.analysis, outcome.status
    if as_json:
        print_json({"status": status, "analysis": analysis})
    else:
        from cluster.cli.experiment_results import print_analysis

        print_analysis(status, analysis)
    if any(not gate.holds for gate in analysis.gates):
        raise typer.Exit(GATE_FAILED)
    if status.state == "interrupted":
        raise typer.Exit(INCOMPLETE)


def _gates(texts: list[str]) -> "tuple[Gate, ...]":
    if not texts:
        return ()
    from neuroforge.experiments.gate import parse_gate  # with the tests behind it: only for who has gates

    return tuple(parse_gate(text) for text in texts)


def _how_to_follow(experiment_id: str) -> str:
    return f"see: neuroforge experiment show {experiment_id}"
