"""What happened to a decision -> Outcome, told to router, fleet view, circuit breaker and sink exactly once."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from neuroforge.contracts.answers import content_of, finish_reason_of, usage_of
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest, Usage
from neuroforge.contracts.models import ModelEndpoint, ModelState, Price
from neuroforge.contracts.ports import Clock, FleetView, Router
from neuroforge.contracts.routing import Decision, Outcome, Spent
from neuroforge.errors import EngineTimeout, NeuroForgeError
from neuroforge.orchestrator.breaker import BreakerLimits, Breakers
from neuroforge.orchestrator.schema import is_valid_answer

OutcomeSink = Callable[[Decision, Outcome], None]
"""Takes outcomes on the request path: it must return at once and never raise."""

CLIENT_CLOSED = 499
"""nginx's status for a client that went away."""
StopReason = Literal["hedge_lost", "too_slow"]
"""Why we ended an attempt ourselves: another one answered first, or its time was up."""
STATUS_BY_STOP: dict[StopReason, int] = {"hedge_lost": CLIENT_CLOSED, "too_slow": EngineTimeout.http_status}
TELLING_TIMEOUT_S = 30.0
"""A deadline that passed sooner tells more of the caller's patience than of the model's health."""


@dataclass(slots=True)
class Record:
    """Fills while a request runs. Times count from the call to the engine: waiting for a load is not its speed."""

    clock: Clock
    decision: Decision
    request: EngineRequest
    keeps_text: bool
    """Whether the answer's text may be kept for the outcome."""
    started_at_s: float
    endpoint: ModelEndpoint | None = None
    """None until the engine is called."""
    ttft_s: float | None = None
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0
    finish_reason: str | None = None
    is_schema_valid: bool | None = None
    texts: list[str] = field(default_factory=list)
    status: int = 200
    error_code: str | None = None
    stopped_as: StopReason | None = None
    """Set before the attempt's task is cancelled by us."""

    def call_starts(self, endpoint: ModelEndpoint) -> None:
        """A new attempt."""
        self.started_at_s = self.clock()
        self.endpoint = endpoint

    def take_whole(self, body: JsonObject) -> None:
        """As take_answer, of an answer that is complete."""
        self.take_answer(body)
        response_format = self.request.body.get("response_format")
        if response_format is None and not self.keeps_text:
            return
        text = content_of(body)
        self.is_schema_valid = is_valid_answer(response_format, text)
        if self.keeps_text and text is not None:
            self.texts.append(text)

    def take_answer(self, body: JsonObject) -> None:
        """Read usage and finish reason from a whole answer, or from a chunk that has them."""
        if (usage := usage_of(body)) is not None:
            self.n_prompt_tokens = usage.n_prompt_tokens
            self.n_completion_tokens = usage.n_completion_tokens
        if (reason := finish_reason_of(body)) is not None:
            self.finish_reason = reason

    def take_chunk(self, body: JsonObject) -> None:
        """As take_answer; until usage comes, each chunk with a choice counts as one token."""
        if self.ttft_s is None:
            self.ttft_s = self.clock() - self.started_at_s
        if body.get("choices"):
            self.n_completion_tokens += 1
        self.take_answer(body)
        if self.keeps_text and (text := content_of(body, "delta")) is not None:
            self.texts.append(text)

    def fail(self, error: NeuroForgeError) -> None:
        """The attempt ended by this error; one whose time was up has used the engine."""
        self.status, self.error_code = error.http_status, error.code
        if isinstance(error, EngineTimeout):
            self._estimate_usage()

    def stop(self) -> None:
        """The attempt was cancelled, by the client or by ourselves."""
        if self.stopped_as is None:
            self.status, self.error_code = CLIENT_CLOSED, "client_closed"
        else:
            self.status, self.error_code = STATUS_BY_STOP[self.stopped_as], self.stopped_as
        self._estimate_usage()

    def _estimate_usage(self) -> None:
        """What the engine has done until now: the prompt, and tokens at its usual speed."""
        if self.endpoint is None or self.n_prompt_tokens:
            return
        self.n_prompt_tokens = self.request.n_prompt_tokens_estimate
        stats = self.endpoint.stats
        if self.n_completion_tokens == 0 and stats is not None and stats.s_per_token:
            generating_s = self.clock() - self.started_at_s - (stats.ttft_s or 0.0)
            n_tokens = int(max(0.0, generating_s) / stats.s_per_token)
            self.n_completion_tokens = min(n_tokens, self.request.max_tokens or n_tokens)

    @property
    def spent(self) -> Spent | None:
        """What the attempt cost; None while it has used no token."""
        if not self.n_prompt_tokens and not self.n_completion_tokens:
            return None
        usage = Usage(n_prompt_tokens=self.n_prompt_tokens, n_completion_tokens=self.n_completion_tokens)
        return Spent(model_id=self.decision.model_id, usage=usage, cost_usd=self.cost_usd)

    @property
    def cost_usd(self) -> float:
        """At the endpoint's price."""
        price = Price() if self.endpoint is None else self.endpoint.price
        return price.cost_usd(self.n_prompt_tokens, self.n_completion_tokens)

    @property
    def is_good(self) -> bool | None:
        """What the end says of the model's health: refusals, full queues and callers that leave say nothing."""
        if self.endpoint is None or 300 <= self.status < 500:
            return None
        if self.error_code == EngineTimeout.code and self.clock() - self.started_at_s < TELLING_TIMEOUT_S:
            return None
        return self.status < 300


class OutcomeReporter:
    """Keeps started and finished in balance, whatever happens between."""

    def __init__(
        self,
        router: Router,
        fleet: FleetView,
        clock: Clock,
        sink: OutcomeSink | None,
        breakers: Breakers | None = None,
        keeps_text: bool = False,
    ) -> None:
        self._router = router
        self._fleet = fleet
        self.clock = clock
        self._sink = sink
        self._breakers = breakers or Breakers(BreakerLimits(), clock)
        self._keeps_text = keeps_text

    def record(self, decision: Decision, request: EngineRequest) -> Record:
        """A new attempt's record; nothing is told yet."""
        return Record(self.clock, decision, request, self._keeps_text, self.clock())

    @contextmanager
    def track(self, record: Record) -> Iterator[Record]:
        """Report the outcome at the end of the block, from the record or the exception that leaves it.

        Raises:
            EngineUnavailable: The model's circuit is open: nothing began, nothing is reported.
        """
        decision = record.decision
        model_id = decision.model_id
        is_guarded = not self._breakers.is_troubled(model_id) or self._is_ready(model_id)
        ticket = self._breakers.begin(model_id) if is_guarded else None
        self._fleet.started(model_id)
        self._router.started(decision)
        try:
            yield record
        except NeuroForgeError as error:
            record.fail(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            record.stop()
            raise
        except BaseException:
            record.status, record.error_code = 500, NeuroForgeError.code
            raise
        finally:
            self._fleet.finished(model_id)
            outcome = self._outcome(decision, record)
            self._router.finished(outcome)
            if ticket is not None:
                self._breakers.end(model_id, ticket, record.is_good)
            if self._sink is not None:
                self._sink(decision, outcome)

    def _is_ready(self, model_id: str) -> bool:
        """A model that loads anew is waited for, whatever its circuit says."""
        endpoint = self._fleet.snapshot.find(model_id)
        return endpoint is not None and endpoint.state == ModelState.READY

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
            latency_s=max(0.0, self.clock() - record.started_at_s),
            cost_usd=record.cost_usd,
            is_schema_valid=record.is_schema_valid,
            answer="".join(record.texts) if record.texts else None,
        )
