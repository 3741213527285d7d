"""How far an experiment is, in one line; and what it would take."""

from typing import TYPE_CHECKING

import typer

from cluster.cli.live_line import LiveLine

if TYPE_CHECKING:
    from neuroforge.contracts.experiments import CostEstimate, ExperimentStatus, Progress

_MOST_MEANS = 3


class ProgressLine(LiveLine):
    """Of an experiment."""

    def show(self, status: "ExperimentStatus") -> None:
        """Take in a new status."""
        self.write(progress_text(status))


def progress_text(status: "ExperimentStatus") -> str:
    """Return `running 40/100 (2 errors, 10 cached), 3.1 cells/s, 20s left; a 0.62 [0.50, 0.73]`."""
    progress = status.progress
    if progress is None:
        return status.state
    return "; ".join([_counts(status.state, progress), *_means(progress)])


def _counts(state: str, progress: "Progress") -> str:
    asides = [
        f"{number} {what}" for number, what in ((progress.n_errors, "errors"), (progress.n_cached, "cached")) if number
    ]
    aside = f" ({', '.join(asides)})" if asides else ""
    parts = [f"{state} {progress.n_done}/{progress.n_cells}{aside}"]
    if progress.cells_per_s is not None:
        parts.append(f"{progress.cells_per_s:.3g} cells/s")
    if progress.eta_s is not None and progress.n_done < progress.n_cells:
        parts.append(f"{seconds_text(progress.eta_s)} left")
    if progress.cost_usd:
        parts.append(f"${progress.cost_usd:.4g}")
    return ", ".join(parts)


def _means(progress: "Progress") -> list[str]:
    best = sorted(progress.means.items(), key=lambda one: -one[1].mean)[:_MOST_MEANS]
    return [f"{variant} {one.mean:.2f} [{one.low:.2f}, {one.high:.2f}]" for variant, one in best]


def seconds_text(seconds: float) -> str:
    """Return 90 as `1m30s`, 7300 as `2h01m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def print_estimate(estimate: "CostEstimate", to_stderr: bool = False) -> None:
    """Say what a run would take."""
    duration = "unknown" if estimate.duration_s is None else f"about {seconds_text(estimate.duration_s)}"
    typer.echo(
        f"{estimate.n_cells} cells: {estimate.n_calls} calls, {estimate.n_cached} from the cache; "
        f"about {estimate.n_prompt_tokens:,} prompt tokens, at most {estimate.n_completion_tokens_max:,} answered; "
        f"at most ${estimate.cost_usd_max:.4g}; time {duration}",
        err=to_stderr,
    )
    for note in estimate.notes:
        typer.echo(f"note: {note}", err=to_stderr)
