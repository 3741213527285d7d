"""Replies and scores as they come -> how far a run is, how fast, how long still, and the means so far."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from neuroforge.contracts.experiments import CellReply, Progress, Variant
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.rules import Estimate
from neuroforge.experiments.score import Scored
from neuroforge.statistics.proportions import wilson_interval

REPORT_EVERY_S = 1.0
RATE_OVER_S = 30.0
"""`cells_per_s` is of so long."""


@dataclass
class _Mean:
    n: int = 0
    total: float = 0.0


class ProgressTracker:
    """Counts; tells `report` at most once a second."""

    def __init__(
        self, n_cells: int, variants: Sequence[Variant], report: Callable[[Progress], None], clock: Clock
    ) -> None:
        """Args:
        clock: Monotonic.
        """
        self._n_cells = n_cells
        self._means = [_Mean() for _ in variants]
        self._names = [variant.id for variant in variants]
        self._report = report
        self._clock = clock
        self._begun_s = clock()
        self._reported_s: float | None = None
        self._n_done = self._n_errors = self._n_cached = self._n_tokens = 0
        self._cost_usd = 0.0
        self._recent: deque[tuple[float, int]] = deque([(self._begun_s, 0)])
        self._n_new = 0

    @property
    def n_done(self) -> int:
        """Cells that are settled."""
        return self._n_done

    def count_earlier(self, replies: Iterable[CellReply]) -> None:
        """Take over what earlier runs of the experiment found."""
        for reply in replies:
            self._count(reply)

    def count_new(self, replies: Sequence[CellReply]) -> None:
        """Take over what came in now."""
        for reply in replies:
            self._count(reply)
        self._n_new += len(replies)
        now_s = self._clock()
        if now_s - self._recent[-1][0] >= REPORT_EVERY_S / 4:
            self._recent.append((now_s, self._n_new))
        while len(self._recent) > 2 and now_s - self._recent[1][0] > RATE_OVER_S:
            self._recent.popleft()
        self.tell()

    def count_score(self, scored: Scored) -> None:
        """Take over one score."""
        if (value := scored.score.score.value) is not None:
            mean = self._means[scored.variant_index]
            mean.n += 1
            mean.total += value

    def tell(self, is_due: bool = False) -> None:
        """Report, unless it is too early and not due anyway."""
        now_s = self._clock()
        if is_due or self._reported_s is None or now_s - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = now_s
            self._report(self.progress())

    def progress(self, stopped_by: str | None = None) -> Progress:
        """Return how far the run is."""
        now_s = self._clock()
        rate = self._rate(now_s)
        return Progress(
            n_cells=self._n_cells,
            n_done=self._n_done,
            n_errors=self._n_errors,
            n_cached=self._n_cached,
            n_tokens=self._n_tokens,
            cost_usd=self._cost_usd,
            elapsed_s=now_s - self._begun_s,
            cells_per_s=rate,
            eta_s=(self._n_cells - self._n_done) / rate if rate else None,
            means={
                name: running_mean(mean.total, mean.n)
                for name, mean in zip(self._names, self._means, strict=True)
                if mean.n
            },
            stopped_by=stopped_by,
        )

    def _rate(self, now_s: float) -> float | None:
        since_s, n_before = self._recent[0]
        n_since = self._n_new - n_before
        return n_since / (now_s - since_s) if n_since and now_s > since_s else None

    def _count(self, reply: CellReply) -> None:
        self._n_done += 1
        self._n_errors += reply.error_code is not None
        self._n_cached += reply.is_cached
        if not reply.is_cached:
            self._n_tokens += reply.n_prompt_tokens + reply.n_completion_tokens
            self._cost_usd += reply.cost_usd


def running_mean(total: float, n: int) -> Estimate:
    """Return the mean of n scores in 0..1 with Wilson's 95 % interval.

    For graded scores it is wider than need be (their variance is at most that of right-or-wrong ones), and repeats of
    an item count as if they were independent: for watching a run, not for its result.
    """
    return wilson_interval(min(total, float(n)), n).estimate()
