"""What requests of prompts came to, summed in the replica until its next exchange with the store."""

from collections.abc import Iterable

from neuroforge.contracts.prompt_serving import PromptUse
from neuroforge.contracts.prompts import PromptCounts
from neuroforge.contracts.routing import Decision, Outcome, PromptTag
from neuroforge.gateway.call import CLIENT_GONE


class PromptUses:
    """Bounded by the versions that are kept; no text, and no caller."""

    def __init__(self) -> None:
        self._counts: dict[PromptTag, PromptCounts] = {}

    def see(self, decision: Decision, outcome: Outcome) -> None:
        """Count one request that ended; as OutcomeSink."""
        if decision.prompt is None or outcome.status == CLIENT_GONE:
            return
        if outcome.status == 200:
            counts = PromptCounts(
                n_requests=1,
                latency_s=outcome.latency_s,
                n_prompt_tokens=outcome.n_prompt_tokens,
                n_completion_tokens=outcome.n_completion_tokens,
            )
        else:
            counts = PromptCounts(n_requests=1, n_failures=1)
        self._add(decision.prompt, counts)

    def take(self) -> tuple[PromptUse, ...]:
        """Remove and return what was counted."""
        counts, self._counts = self._counts, {}
        return tuple(PromptUse(tag=tag, counts=one) for tag, one in counts.items())

    def put_back(self, uses: Iterable[PromptUse]) -> None:
        """Undo `take` after a failed exchange."""
        for use in uses:
            self._add(use.tag, use.counts)

    def _add(self, tag: PromptTag, counts: PromptCounts) -> None:
        known = self._counts.get(tag)
        if known is not None:
            counts = PromptCounts(**{name: value + getattr(known, name) for name, value in counts})
        self._counts[tag] = counts
