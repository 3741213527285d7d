"""How far an optimisation is, in one line; and what it would take."""

from typing import TYPE_CHECKING

import typer

from cluster.cli.experiment_progress import seconds_text
from cluster.cli.live_line import LiveLine

if TYPE_CHECKING:
    from neuroforge.contracts.optimize import OptimizePlan
    from neuroforge.contracts.prompt_progress import OptimizeProgress


class OptimizeLine(LiveLine):
    """Of an optimisation."""

    def __init__(self) -> None:
        super().__init__()
        self.told: tuple[str, ...] = ()
        """Warnings, each as soon as it came."""

    def show(self, progress: "OptimizeProgress") -> None:
        """Take in how far it is; a warning gets a line of its own, at once."""
        for warning in progress.warnings[len(self.told) :]:
            self.close()
            typer.echo(f"warning: {warning}", err=True)
        self.told = progress.warnings
        self.write(progress_text(progress))


def progress_text(progress: "OptimizeProgress") -> str:
    """Return `searching, generation 3, 36 prompts; best 0.62 [0.50, 0.73]; 240/600 calls, 31,000 tokens, 40s; ...`."""
    budget = progress.budget
    stage: str = progress.phase
    if progress.phase == "searching":
        stage += f", generation {progress.generation}, {progress.n_candidates} prompts"
    best = progress.best
    told = "no best yet" if best is None else f"best {best.mean:.3f} [{best.low:.3f}, {best.high:.3f}] n={best.n}"
    spent = [_of("calls", progress.n_calls, progress.n_calls_max), _of("tokens", progress.n_tokens, budget.max_tokens)]
    if progress.cost_usd or budget.max_cost_usd is not None:
        limit = "" if budget.max_cost_usd is None else f"/{budget.max_cost_usd:.4g}"
        spent.append(f"${progress.cost_usd:.4g}{limit}")
    limit = "" if budget.max_duration is None else f"/{seconds_text(budget.max_duration)}"
    spent.append(f"{seconds_text(progress.elapsed_s)}{limit}")
    parts = [stage, told, ", ".join(spent)]
    if progress.eta_s is not None and progress.phase == "searching":
        parts.append(f"at most {seconds_text(progress.eta_s)} left")
    return "; ".join(parts)


def _of(what: str, n: int, limit: int | None) -> str:
    return f"{n:,} {what}" if limit is None else f"{n:,}/{limit:,} {what}"


def print_plan(plan: "OptimizePlan", to_stderr: bool = False) -> None:
    """Say what a run would take."""
    items = ", ".join(f"{n} to {name}" for name, n in plan.n_items.items()) or "no examples"
    calls = "calls without a limit" if plan.n_calls_max is None else f"at most {plan.n_calls_max:,} calls"
    told = [f"{plan.target_model}: {items}; {calls}, {plan.n_test_calls:,} for the test"]
    told.append(f"{plan.n_beside_calls_max:,} beside them")
    if plan.n_prompt_tokens is not None and plan.n_completion_tokens_max is not None:
        told.append(f"about {plan.n_prompt_tokens:,} prompt tokens, at most {plan.n_completion_tokens_max:,} answered")
    if plan.cost_usd_max is not None:
        told.append(f"at most ${plan.cost_usd_max:.4g}")
    told.append("time unknown" if plan.duration_s is None else f"time at most {seconds_text(plan.duration_s)}")
    typer.echo("; ".join(told), err=to_stderr)
    for note in plan.notes:
        typer.echo(f"note: {note}", err=to_stderr)
