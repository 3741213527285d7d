"""How long and how often a request is tried; one deadline for all of it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import Waiting
from neuroforge.errors import EngineTimeout, EngineUnavailable
from neuroforge.orchestrator.breaker import BreakerLimits

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class OrchestratorLimits:
    """Values from settings, with what suits a fleet on one machine."""

    load_timeout_s: float = 300.0
    """How long a request waits for its model to load."""
    recovery_timeout_s: float = 60.0
    """How long it waits for a model that is said to be ready and does not answer: its replica may be restarting."""
    max_attempts: int = 3
    """Attempts that may have reached an engine, over all models: what kills engines must not kill them all."""
    waiting_period_s: float = 3.0
    """How often a waiting stream tells its client so."""
    call_timeout_s: float = 60.0
    """Deadline of counting tokens, whose contract brings none."""
    backoff_s: float = 0.1
    max_backoff_s: float = 1.0
    hedge_share: float = 0.05
    """Of the requests that a policy routes, how many may get a second one beside them; 0 = none."""
    hedge_quantile: float = 0.95
    """Of the answers are there before a second request is thought of."""
    hedge_min_delay_s: float = 0.2
    slow_factor: float = 4.0
    """An attempt that takes so many times what was expected is given up for the next best model."""
    slow_min_s: float = 5.0
    """But none before this."""
    slow_share: float = 0.5
    """An attempt may take this share of what is left of the deadline, unless it was expected to take longer."""
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    max_fan_out: int = 8
    """Calls of one task that run at once."""
    task_timeout_s: float = 600.0
    """Deadline of a task that brings none."""


@dataclass
class Budget:
    """What is left of one request's time and attempts."""

    limits: OrchestratorLimits
    clock: Clock
    """Monotonic."""
    sleep: Sleep
    rng: random.Random
    deadline_s: float
    n_begun: int = 0
    n_pauses: int = 0
    started_at_s: float = field(init=False)
    failing_since_s: float | None = field(init=False, default=None)
    told_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        """The clock runs from now."""
        self.started_at_s = self.told_at_s = self.clock()

    @property
    def is_spent(self) -> bool:
        """Whether no further attempt may reach an engine."""
        return self.n_begun >= self.limits.max_attempts

    def remaining_s(self, what: str) -> float:
        """Seconds until the deadline, above zero.

        Raises:
            EngineTimeout: None are left.
        """
        remaining_s = self.started_at_s + self.deadline_s - self.clock()
        if remaining_s <= 0:
            raise EngineTimeout(f"{what}: no answer within {self.deadline_s:g} s", deadline_s=self.deadline_s)
        return remaining_s

    def count_failure(self, error: EngineUnavailable) -> None:
        """Note a failed attempt, and re-raise it when it was the last that is allowed."""
        if error.context.get("may_have_begun", True):
            self.n_begun += 1
        if self.is_spent:
            raise error

    def waiting(self, model_id: str) -> Waiting | None:
        """What a stream tells its client, once every waiting period."""
        now_s = self.clock()
        if now_s - self.told_at_s < self.limits.waiting_period_s:
            return None
        self.told_at_s = now_s
        return Waiting(model_id=model_id, waited_s=now_s - self.started_at_s)

    async def pause(self, error: EngineUnavailable) -> None:
        """Wait before the same model is asked again; longer each time, jittered.

        Raises:
            EngineUnavailable: It has not answered for `recovery_timeout_s`, or the deadline would pass meanwhile.
        """
        now_s = self.clock()
        if self.failing_since_s is None:
            self.failing_since_s = now_s
        ceiling_s = min(self.limits.max_backoff_s, self.limits.backoff_s * 2.0 ** min(self.n_pauses, 16))
        pause_s = self.rng.uniform(0.5 * ceiling_s, ceiling_s)
        self.n_pauses += 1
        is_hopeless = now_s + pause_s - self.failing_since_s > self.limits.recovery_timeout_s
        if is_hopeless or now_s + pause_s >= self.started_at_s + self.deadline_s:
            raise error
        await self.sleep(pause_s)
