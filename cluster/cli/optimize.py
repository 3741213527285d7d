"""`optimize task.yaml`: a better prompt, if fresh items prove it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.output import print_json, print_table
from cluster.cli.shared import JsonOption, Shared, shared

if TYPE_CHECKING:
    from neuroforge.contracts.prompts import OptimizationResult, OptimizeConfig
    from neuroforge.prompts.evolution_state import EvolutionState

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
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run code without a sandbox if there is none.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Search for a better prompt, and prove it on items that the search has not seen.

    Run again with the same task it goes on where it was: no answered call is made twice.
    """
    from neuroforge.prompts.task_file import read_task

    budget = None if max_calls is None else {"max_calls": max_calls}
    config = read_task(file, {"target_model": target_model, "seed": seed, "budget": budget})
    options = shared(context)
    directory = out or options.home() / "prompts" / config.name
    result = _run(config, directory, options, allow_unsandboxed)
    if as_json:
        print_json(result)
    else:
        print_result(result, directory)


def _run(config: "OptimizeConfig", directory: Path, options: Shared, allow_unsandboxed: bool) -> "OptimizationResult":
    import asyncio

    from cluster.cli.models_assets import open_assets
    from neuroforge.client.aio import AsyncClient
    from neuroforge.client.locate import find_key
    from neuroforge.prompts.run import OptimizationRun, run_optimization
    from neuroforge.scoring.sandbox import Sandbox

    async def run() -> "OptimizationResult":
        async with AsyncClient(options.server_url(), find_key(None), ANSWER_TIMEOUT_S) as client:
            sandbox = Sandbox(allow_unsandboxed=allow_unsandboxed)
            needed = OptimizationRun(client, open_assets(options), sandbox, directory, tell_step)
            return await run_optimization(config, needed)

    return asyncio.run(run())


def tell_step(state: "EvolutionState") -> None:
    """Write how far the search is, a line a step, to stderr."""
    scores = {
        one.candidate_id: [value for value in one.fitness if value is not None]
        for one in state.evaluations
        if one.candidate_id in state.elite[:1]
    }
    best = next((f"best so far {sum(ones) / len(ones):.3f}" for ones in scores.values() if ones), "no best yet")
    typer.echo(
        f"generation {state.generation}, {len(state.candidates)} prompts, {state.n_calls} calls, {best}", err=True
    )


def print_result(result: "OptimizationResult", directory: Path) -> None:
    """Write what was found, for people."""
    from neuroforge.prompts.program import diff_programs

    for line in result.warnings:
        typer.echo(f"warning: {line}", err=True)
    rows = [(one.aspect, f"{one.score:.2f}", one.found_by, " ".join(one.text.split())[:90]) for one in result.findings]
    print_table(("ASPECT", "SCORE", "BY", "FINDING"), rows)
    typer.echo(
        f"\n{result.n_candidates} prompts tried, {result.n_calls} calls made ({result.n_prompt_tokens} prompt tokens, "
        f"{result.n_completion_tokens} answered); ended: {result.ended_because or 'nothing to search on'}"
    )
    gained = [f"{name} {gain:+.3f}" for name, gain in result.contributions.items() if gain > 0]
    if gained:
        typer.echo(f"gained by operator: {', '.join(gained)}")
    for line in diff_programs(result.original, result.optimized):
        typer.echo(f"  {line}")
    typer.echo(result.sentence)
    if result.is_promoted:
        typer.echo(f"\n{result.text}")
    typer.echo(f"written: {directory}")
