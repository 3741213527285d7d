"""Progress and result -> text for a terminal or a job's log."""

from collections.abc import Callable

from neuroforge.contracts.ports import Clock
from neuroforge.datasets.fleet import LabelResult
from neuroforge.datasets.progress import Progress

REPORT_EVERY_S = 5.0


class Reporter:
    """Writes one line now and then; the first at once."""

    def __init__(self, write: Callable[[str], None], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._next_s: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Write, unless it is too early."""
        now_s = self._clock()
        if self._next_s is None or now_s >= self._next_s:
            self._next_s = now_s + REPORT_EVERY_S
            self._write(line(progress))


def line(progress: Progress) -> str:
    """Return how far it is, how fast, how long still, and the means so far."""
    rate, eta_s = progress.cells_per_s, progress.eta_s
    failed = f", {progress.n_failed} failed" if progress.n_failed else ""
    speed = f", {rate:.2f}/s" if rate is not None else ""
    left = f", about {eta_s / 60:.0f} min left" if eta_s is not None else ""
    means = ", ".join(
        f"{name} {model.mean_score:.3f}" for name, model in progress.by_model.items() if model.mean_score is not None
    )
    return f"{progress.n_done}/{progress.n_cells} answers{failed}{speed}{left}; mean score {means or '-'}"


def table(result: LabelResult) -> str:
    """Return mean score, latency and cost by model and task, and all that was not scored or left out."""
    lines = [f"{'task':16} {'model':32} {'n':>5} {'score':>6} {'latency':>9} {'cost USD':>10}"]
    lines += [
        f"{one.task:16} {one.model_id:32} {one.n:>5} {one.mean_score:>6.3f} {one.mean_latency_s:>7.2f} s "
        f"{one.mean_cost_usd:>10.7f}"
        for one in result.summaries
    ]
    lines += [f"not scored: {n} ({why})" for why, n in sorted(result.unscored.items())]
    lines += [f"given up in this run: {model}: {why}" for model, why in result.progress.down.items()]
    lines += [
        f"{dataset.name}: {len(dataset.problems)} rows left out, the first: {dataset.problems[0]}"
        for dataset in result.datasets
        if dataset.problems
    ]
    if result.progress.n_left:
        lines.append(f"{result.progress.n_left} of {result.progress.n_cells} answers are missing: run it again")
    return "\n".join(lines)
