"""How a model's calls ended -> whether it may be asked now: closed, open, half-open with one trial request."""

import logging
from collections import deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from neuroforge.contracts.ports import Clock, Metrics
from neuroforge.errors import EngineUnavailable

logger = logging.getLogger(__name__)

CIRCUIT_STATE = "neuroforge_circuit_state"
"""Gauge: a model's circuit breaker in a gateway replica, by model: 0 closed, 1 half-open, 2 open."""
CircuitState = Literal["closed", "half_open", "open"]
NUMBER_BY_STATE: dict[CircuitState, int] = {"closed": 0, "half_open": 1, "open": 2}
N_BUCKETS = 10
"""The window slides in steps of a tenth."""


@dataclass(frozen=True)
class BreakerLimits:
    """When a circuit opens, and for how long."""

    failure_share: float = 0.5
    """Of the calls in the window; above 1 it never opens."""
    min_calls: int = 10
    """Fewer calls in the window prove nothing."""
    window_s: float = 30.0
    open_s: float = 10.0
    """How long nobody asks; then one trial request decides. One that takes longer than this makes room for another."""


class Ticket(NamedTuple):
    """Leave to call; its end counts only while the circuit is as it was."""

    generation: int


@dataclass
class _Bucket:
    index: int
    n: int = 0
    n_failed: int = 0


class CircuitBreaker:
    """One model's circuit.

    closed: every call may go, and ends are counted; open: none may; half_open: one trial may, whose end closes the
    circuit or opens it again. Ends of calls that began before the last change of state say nothing.
    """

    def __init__(self, limits: BreakerLimits, clock: Clock) -> None:
        """`clock` is monotonic."""
        self._limits = limits
        self._clock = clock
        self._buckets: deque[_Bucket] = deque()
        self._opened_at_s: float | None = None
        self._trial_at_s: float | None = None
        self._generation = 0

    @property
    def state(self) -> CircuitState:
        """As of now: an open circuit becomes half-open by time alone."""
        if self._opened_at_s is None:
            return "closed"
        return "open" if self._clock() - self._opened_at_s < self._limits.open_s else "half_open"

    @property
    def wait_s(self) -> float:
        """Seconds until a call may go; 0 = now."""
        if self._opened_at_s is None:
            return 0.0
        since_s = self._opened_at_s if self._trial_at_s is None else self._trial_at_s
        return max(0.0, since_s + self._limits.open_s - self._clock())

    def begin(self) -> Ticket | None:
        """Leave to call, or None: ask again after `wait_s`."""
        if self._opened_at_s is not None:
            if self.wait_s > 0:
                return None
            self._trial_at_s = self._clock()
            self._generation += 1
        return Ticket(self._generation)

    def end(self, ticket: Ticket, is_good: bool | None) -> None:
        """The call ended; None = in a way that says nothing of the model (the client went away, a bad request)."""
        if ticket.generation != self._generation:
            return
        if self._opened_at_s is not None:
            self._end_trial(is_good)
        elif is_good is not None:
            self._count(is_good)

    def _end_trial(self, is_good: bool | None) -> None:
        self._trial_at_s = None
        self._generation += 1
        if is_good is not None:
            self._opened_at_s = None if is_good else self._clock()

    def _count(self, is_good: bool) -> None:
        index = int(self._clock() * N_BUCKETS / self._limits.window_s)
        buckets = self._buckets
        if not buckets or buckets[-1].index != index:
            buckets.append(_Bucket(index))
            while buckets[0].index <= index - N_BUCKETS:
                buckets.popleft()
        buckets[-1].n += 1
        if is_good:
            return
        buckets[-1].n_failed += 1
        n, n_failed = sum(one.n for one in buckets), sum(one.n_failed for one in buckets)
        if n >= self._limits.min_calls and n_failed >= self._limits.failure_share * n:
            self._opened_at_s = self._clock()
            self._generation += 1
            buckets.clear()


class Breakers:
    """Every model's circuit, in one gateway replica."""

    def __init__(self, limits: BreakerLimits, clock: Clock, metrics: Metrics | None = None) -> None:
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._by_model: dict[str, CircuitBreaker] = {}
        self._troubled: dict[str, CircuitState] = {}
        """Last known state of the circuits that are not closed."""

    def is_troubled(self, model_id: str) -> bool:
        """Whether the model's circuit is not closed."""
        return model_id in self._troubled

    def open_models(self) -> frozenset[str]:
        """Models that may not be asked now."""
        if not self._troubled:
            return frozenset()
        return frozenset(model_id for model_id in self._troubled if self._by_model[model_id].wait_s > 0)

    def begin(self, model_id: str) -> Ticket:
        """Leave to call the model.

        Raises:
            EngineUnavailable: Its circuit is open; carries retry_after_s.
        """
        breaker = self._by_model.get(model_id)
        if breaker is None:
            breaker = self._by_model[model_id] = CircuitBreaker(self._limits, self._clock)
        ticket = breaker.begin()
        if ticket is None:
            wait_s = breaker.wait_s
            what = f"{model_id}: too many of its last requests failed; it is asked again in {wait_s:.1f} s"
            raise EngineUnavailable(what, model_id=model_id, retry_after_s=wait_s, may_have_begun=False)
        if model_id in self._troubled:
            self._note(model_id, breaker.state)
        return ticket

    def end(self, model_id: str, ticket: Ticket, is_good: bool | None) -> None:
        """As CircuitBreaker.end."""
        breaker = self._by_model[model_id]
        breaker.end(ticket, is_good)
        if model_id in self._troubled or not is_good:
            self._note(model_id, breaker.state)

    def _note(self, model_id: str, state: CircuitState) -> None:
        if state == self._troubled.get(model_id, "closed"):
            return
        if state == "closed":
            del self._troubled[model_id]
        else:
            self._troubled[model_id] = state
        logger.warning("circuit changed", extra={"model_id": model_id, "state": state})
        if self._metrics is not None:
            self._metrics.set(CIRCUIT_STATE, NUMBER_BY_STATE[state], {"model": model_id})
