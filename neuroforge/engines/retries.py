"""When to ask again: exponential backoff with full jitter, lest all callers of a restarted server return at once."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Pauses between attempts: uniform in [0, base_s * 2**attempt], never above max_s."""

    base_s: float = 0.1
    max_s: float = 2.0
    rng: random.Random = field(default_factory=random.Random)

    def pauses_s(self, n_retries: int) -> Iterator[float]:
        """Yield one pause for each retry; jitter is not for security."""
        for attempt in range(n_retries):
            yield self.rng.uniform(0.0, min(self.max_s, self.base_s * 2.0**attempt))
