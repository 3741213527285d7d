"""Counts and moving averages of one engine."""

from collections.abc import Callable

from neuroforge.contracts.models import EngineStats
from neuroforge.engines.llamacpp_chunks import StreamTotals

WEIGHT_OF_NEWEST = 0.2


class MovingAverage:
    """Exponentially weighted; None until the first value."""

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, value: float) -> None:
        """Move towards the value."""
        self.value = value if self.value is None else self.value + WEIGHT_OF_NEWEST * (value - self.value)


class EngineMeter:
    """What GET /stats tells beside slots and memory."""

    def __init__(self) -> None:
        self.n_requests = 0
        self.n_prompt_tokens = 0
        self.n_completion_tokens = 0
        self.ttft_s = MovingAverage()
        """From the moment a slot is held, so without the wait in the queue."""
        self.s_per_token = MovingAverage()
        self.request_s = MovingAverage()

    def note(self, totals: StreamTotals, duration_s: float) -> None:
        """Count one generation that ended, well or not; one that was cut counts the tokens that were seen."""
        self.n_requests += 1
        self.request_s.add(duration_s)
        if totals.usage is None:
            self.n_completion_tokens += totals.n_texts
            return
        self.n_prompt_tokens += totals.usage.n_prompt_tokens
        self.n_completion_tokens += totals.usage.n_completion_tokens
        if totals.s_per_token is not None:
            self.s_per_token.add(totals.s_per_token)

    def note_prompt(self, n_tokens: int, duration_s: float) -> None:
        """Count one request that generated nothing."""
        self.n_requests += 1
        self.n_prompt_tokens += n_tokens
        self.request_s.add(duration_s)

    def retry_after_s(self) -> float:
        """When a slot should be free again: one average request from now, within 1 to 60 s."""
        return min(60.0, max(1.0, self.request_s.value or 1.0))

    def stats(
        self, slots_total: int, slots_busy: int, queued: int, resident_bytes: Callable[[], int | None]
    ) -> EngineStats:
        """Return all of it as the contract."""
        return EngineStats(
            slots_total=slots_total,
            slots_busy=slots_busy,
            queued=queued,
            n_requests=self.n_requests,
            n_prompt_tokens=self.n_prompt_tokens,
            n_completion_tokens=self.n_completion_tokens,
            ttft_s=self.ttft_s.value,
            s_per_token=self.s_per_token.value,
            resident_bytes=resident_bytes(),
        )
