"""`optimize task.yaml`: a better prompt, if fresh items prove it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.experiment_progress import seconds_text
from cluster.cli.experiment_run import INCOMPLETE
from cluster.cli.optimize_progress import OptimizeLine
from cluster.cli.optimize_start import Ways, is_agreed
from cluster.cli.output import print_json, print_table
from cluster.cli.prompt_runs import optimize_on_server
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from collections.abc import Collection

    from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, PromptTemplate

ANSWER_TIMEOUT_S = 600.0


def optimize(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Task as YAML: name, prompt, dataset, target_model, budget, ...")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of the run; else `prompts/<name>` in the home.")
    ] = None,
    target_model: Annotated[str | None, typer.Option("--model", help="Instead of the file's target_model.")] = None,
    max_calls: Annotated[int | None, typer.Option(min=1, help="Instead of the file's budget.max_calls.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the file's.")] = None,
    analyse: Annotated[
        bool | None,
        typer.Option("--analyse/--no-analyse", help="Ask models what is wrong with the prompt first, or not."),
    ] = None,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run code without a sandbox if there is none.")
    ] = False,
    is_on_server: Annotated[
        bool, typer.Option("--on-server", help="Run it in the server, as `prompts runs` lists it.")
    ] = False,
    is_detached: Annotated[
        bool, typer.Option("--detach", help="With --on-server: return when it is queued; it goes on in the server.")
    ] = False,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only check it and show what it would take.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the start.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Search for a better prompt, and prove it on items that the search has not seen.

    Run again with the same task it goes on where it was, without asking: no answered call is made twice.
    """
    import asyncio

    from neuroforge.prompts.task_file import read_task

    limit = {} if max_calls is None else {"max_calls": max_calls}
    config = read_task(file, {"target_model": target_model, "seed": seed, "analyse": analyse}, limit)
    options = shared(context)
    ways = Ways(allow_unsandboxed, is_dry, is_sure, is_detached, as_json)
    if is_on_server:
        _check_on_server(out, ways)
        optimize_on_server(options, config, ways)
        return
    if is_detached:
        raise typer.BadParameter("only a server goes on by itself: add --on-server", param_hint="--detach")
    directory = out or options.home() / "prompts" / config.name
    try:
        asyncio.run(_optimize(config, options, directory, ways))
    except KeyboardInterrupt:
        typer.echo("\nstopped; what is answered is kept: the same command goes on", err=True)
        raise typer.Exit(INCOMPLETE) from None


def _check_on_server(out: Path | None, ways: Ways) -> None:
    for name, is_given in (("--out", out is not None), ("--allow-unsandboxed", ways.allow_unsandboxed)):
        if is_given:
            raise typer.BadParameter("cannot be had with --on-server", param_hint=name)


async def _optimize(config: "OptimizeConfig", options: Shared, directory: Path, ways: Ways) -> None:
    from cluster.cli.models_assets import open_assets
    from cluster.environment import FEW_WORDS, QUIET, SHORT_TRACKING, apply_environment
    from cluster.tracking import open_tracker
    from neuroforge.client.aio import AsyncClient
    from neuroforge.client.locate import find_key
    from neuroforge.prompts.attempts import attempts_of
    from neuroforge.prompts.deliver import Outlets
    from neuroforge.prompts.directory import CONFIG
    from neuroforge.prompts.run import OptimizationRun, plan_optimization, run_optimization
    from neuroforge.scoring.sandbox import Sandbox

    apply_environment(QUIET | SHORT_TRACKING | FEW_WORDS)
    line = OptimizeLine()
    async with AsyncClient(options.server_url(), find_key(None), ANSWER_TIMEOUT_S) as client:
        sandbox = Sandbox(allow_unsandboxed=ways.allow_unsandboxed)
        outlets = Outlets(client.prompts, open_tracker(options.settings()))
        needed = OptimizationRun(
            client, open_assets(options), sandbox, directory, attempts_of(options.home()), line.show, outlets=outlets
        )
        plan = await plan_optimization(config, needed)
        if not is_agreed(config, plan, ways, is_begun=(directory / CONFIG).exists()):
            return
        result = await run_optimization(config, needed)
    line.close()
    if ways.as_json:
        print_json(result)
    else:
        print_result(result, directory, line.told)


def print_result(result: "OptimizationResult", directory: Path, told: "Collection[str]" = ()) -> None:
    """Write what was found, for people; warnings that were told before are not repeated."""
    from neuroforge.prompts.directory import REPORT
    from neuroforge.prompts.program import diff_programs

    for line in result.warnings:
        if line not in told:
            typer.echo(f"warning: {line}", err=True)
    rows = [(one.aspect, f"{one.score:.2f}", one.found_by, " ".join(one.text.split())[:90]) for one in result.findings]
    print_table(("ASPECT", "SCORE", "BY", "FINDING"), rows)
    typer.echo(
        f"\n{result.n_candidates} prompts tried, {result.n_calls:,} calls made ({result.n_prompt_tokens:,} prompt "
        f"tokens, {result.n_completion_tokens:,} answered, ${result.cost_usd:.4g}) in "
        f"{seconds_text(result.elapsed_s)}; ended: {result.ended_because or 'nothing to search on'}"
    )
    gained = [f"{name} {gain:+.3f}" for name, gain in result.contributions.items() if gain > 0]
    if gained:
        typer.echo(f"gained by operator: {', '.join(gained)}")
    if result.template is not None:
        _print_worth(result.template)
    for name, one in result.assessments.items():
        interval = "" if one.low is None or one.high is None else f" [{one.low:.3f}, {one.high:.3f}]"
        typer.echo(f"{name}: {one.score:.3f}{interval} ({one.note})")
    for line in diff_programs(result.original, result.optimized):
        typer.echo(f"  {line}")
    typer.echo(result.sentence)
    if result.is_promoted:
        typer.echo(f"\n{result.text}")
    if result.registered is not None:
        release = result.registered.release
        typer.echo(f"registered: {release.name} version {release.version}, {', '.join(result.registered.aliases)}")
    if result.tracked_at is not None:
        typer.echo(f"tracked: {result.tracked_at}")
    typer.echo(f"written: {directory}")
    if (directory / REPORT).exists():
        typer.echo(f"report: {directory / REPORT}")


def _print_worth(template: "PromptTemplate") -> None:
    """Write what each decision is worth: its share of the variance, and what was chosen against the seed's own."""
    rows = []
    for slot in template.slots:
        chosen = next((one for one in slot.choices if one.is_chosen), None)
        gain = (
            "" if chosen is None else f"{chosen.effect.mean:+.3f} [{chosen.effect.low:+.3f}, {chosen.effect.high:+.3f}]"
        )
        share = f"{slot.share.mean:.0%} [{slot.share.low:.0%}, {slot.share.high:.0%}]"
        rows.append((slot.slot, share, gain, "another" if chosen is None else " ".join(chosen.value.split())[:60]))
    typer.echo(
        f"what parts are worth, from {template.n_structures} structures and {template.n_earlier} earlier results:"
    )
    print_table(("PART", "SHARE OF VARIANCE", "GAIN OVER THE SEED", "CHOSEN"), rows)
