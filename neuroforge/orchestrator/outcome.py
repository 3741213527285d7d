"""What happened to a decision -> Outcome, told to router, fleet view and sink exactly once."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import Price
from neuroforge.contracts.ports import Clock, FleetView, Router
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.errors import NeuroForgeError

OutcomeSink = Callable[[Outcome], None]
"""Takes outcomes on the request path: it must return at once and never raise."""

CLIENT_CLOSED = 499
"""nginx's status for a client that went away."""


@dataclass
class Record:
    """Fills while a request runs. Times count from the call to the engine: waiting for a load is not its speed."""

    clock: Clock
    started_at_s: float
    price: Price = field(default_factory=Price)
    ttft_s: float | None = None
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0
    finish_reason: str | None = None
    status: int = 200
    error_code: str | None = None

    def call_starts(self, price: Price) -> None:
        """A new attempt."""
        self.started_at_s = self.clock()
        self.price = price

    def take_answer(self, body: JsonObject) -> None:
        """Read usage and finish reason from a whole answer, or from a chunk that has them."""
        usage = body.get("usage")
        if isinstance(usage, dict):
            self.n_prompt_tokens = _count(usage, "prompt_tokens")
            self.n_completion_tokens = _count(usage, "completion_tokens")
        choices = body.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            reason = choices[0].get("finish_reason")
            self.finish_reason = reason if isinstance(reason, str) else self.finish_reason

    def take_chunk(self, body: JsonObject) -> None:
        """As take_answer; until usage comes, each chunk with a choice counts as one token."""
        if self.ttft_s is None:
            self.ttft_s = self.clock() - self.started_at_s
        if body.get("choices"):
            self.n_completion_tokens += 1
        self.take_answer(body)


def _count(usage: JsonObject, name: str) -> int:
    """An upstream may answer anything: what is no count is none."""
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


class OutcomeReporter:
    """Keeps started and finished in balance, whatever happens between."""

    def __init__(self, router: Router, fleet: FleetView, clock: Clock, sink: OutcomeSink | None) -> None:
        self._router = router
        self._fleet = fleet
        self._clock = clock
        self._sink = sink

    @contextmanager
    def track(self, decision: Decision) -> Iterator[Record]:
        """Report the outcome at the end of the block, from the record or the exception that leaves it."""
        record = Record(self._clock, self._clock())
        self._fleet.started(decision.model_id)
        self._router.started(decision)
        try:
            yield record
        except NeuroForgeError as error:
            record.status, record.error_code = error.http_status, error.code
            raise
        except (asyncio.CancelledError, GeneratorExit):
            record.status, record.error_code = CLIENT_CLOSED, "client_closed"
            raise
        except BaseException:
            record.status, record.error_code = 500, NeuroForgeError.code
            raise
        finally:
            self._fleet.finished(decision.model_id)
            outcome = self._outcome(decision, record)
            self._router.finished(outcome)
            if self._sink is not None:
                self._sink(outcome)

    def _outcome(self, decision: Decision, record: Record) -> Outcome:
        return Outcome(
            decision_id=decision.decision_id,
            request_id=decision.request_id,
            model_id=decision.model_id,
            policy=decision.policy,
            status=record.status,
            error_code=record.error_code,
            finish_reason=record.finish_reason,
            n_prompt_tokens=record.n_prompt_tokens,
            n_completion_tokens=record.n_completion_tokens,
            ttft_s=record.ttft_s,
            latency_s=max(0.0, self._clock() - record.started_at_s),
            cost_usd=record.price.cost_usd(record.n_prompt_tokens, record.n_completion_tokens),
        )
