"""An attempt that is late -> a second one beside it, or the next best model in its place; the first answer wins."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from neuroforge.contracts.ports import Clock
from neuroforge.errors import EngineOverloaded, EngineUnavailable
from neuroforge.orchestrator.outcome import Record, StopReason

T = TypeVar("T")
Wait = Callable[[Collection["asyncio.Task[Any]"], float | None], Coroutine[Any, Any, None]]
"""Returns when one of the tasks is done, or after so many seconds."""

BURST = 5.0
"""Hedges that a quiet time may save up."""
N_RATIOS = 200
MIN_RATIOS = 20
UNKNOWN_FACTOR = 3.0
"""How much longer than expected the slowest answers take, before enough of them were seen."""
MIN_FACTOR = 1.2


async def wait_first(tasks: Collection["asyncio.Task[Any]"], timeout_s: float | None) -> None:
    """As Wait, in real time."""
    await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


class HedgeBudget:
    """At no time have more than `share` of the requests been hedged: overload must not double itself."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 0.0

    def earn(self) -> None:
        """One more request that could be hedged."""
        self._saved = min(BURST, self._saved + self._share)

    @property
    def has_one(self) -> bool:
        """Whether one may begin."""
        return self._saved >= 1.0 - 1e-9

    def spend(self) -> None:
        """One begins."""
        self._saved -= 1.0


class LatencyTail:
    """How much longer than expected the slowest answers take: a quantile of actual / expected over the last ones."""

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._ratios: deque[float] = deque(maxlen=N_RATIOS)
        self._factor = UNKNOWN_FACTOR
        self._n_new = 0

    @property
    def factor(self) -> float:
        """Times the expected latency by which that share of the answers is there."""
        return self._factor

    def add(self, actual_s: float, expected_s: float | None) -> None:
        """One answer, or one attempt that was ended before it: at least so long it would have taken."""
        if not expected_s:
            return
        self._ratios.append(actual_s / expected_s)
        self._n_new += 1
        if self._n_new >= MIN_RATIOS:
            self._n_new = 0
            ordered = sorted(self._ratios)
            self._factor = max(MIN_FACTOR, ordered[min(len(ordered) - 1, int(self._quantile * len(ordered)))])


class Patience(NamedTuple):
    """Clock times at which an attempt is thought late."""

    hedge_at_s: float
    give_up_at_s: float


@dataclass(eq=False)
class Attempt(Generic[T]):
    """One model on its way to an answer; equal only to itself."""

    record: Record
    task: "asyncio.Task[T]"
    begun_at_s: float
    expected_s: float | None
    patience: Patience
    is_hedge: bool = False


class Choices(NamedTuple, Generic[T]):
    """What a race asks of its owner. A record is a decision that was made and not begun."""

    begin: Callable[[Record], Coroutine[Any, Any, T]]
    after_error: Callable[[Record, EngineUnavailable | EngineOverloaded], Record]
    """The next best model's, or the error raised again."""
    beside: Callable[[Record, bool], Record | None]
    """The next best model's, if one is ready, has a free slot and can make the deadline. The flag: for a hedge, which
    takes from the budget."""
    patience: Callable[[Record], tuple[float | None, Patience]]
    """(expected seconds, when it is late)."""
    discard: Callable[[T], Coroutine[Any, Any, None]]
    """Close an answer that came too late."""


class Race(Generic[T]):
    """Attempts of one request until one of them answers."""

    def __init__(self, choices: Choices[T], clock: Clock, wait: Wait) -> None:
        self._choices = choices
        self._clock = clock
        self._wait = wait
        self._running: list[Attempt[T]] = []
        self._ended: list[Attempt[T]] = []
        self._can_hedge = True

    @property
    def ended(self) -> tuple[Attempt[T], ...]:
        """Attempts that did not win."""
        return tuple(self._ended)

    async def run(self, first: Record) -> tuple[Attempt[T], T]:
        """The first answer and who gave it. When it returns or raises, nothing of the race is running.

        Raises:
            NeuroForgeError: The last model's, when none is left; at once what another model would not change.
        """
        self._begin(first)
        try:
            while True:
                await self._wait([one.task for one in self._running], self._pause_s())
                won = self._take_done()
                if won is not None:
                    await self._stop(list(self._running), "hedge_lost")
                    return won
                await self._look_at_clock()
        finally:
            await self._stop(list(self._running), None)

    def _begin(self, record: Record, is_hedge: bool = False) -> None:
        expected_s, patience = self._choices.patience(record)
        task = asyncio.create_task(self._choices.begin(record))
        self._running.append(Attempt(record, task, self._clock(), expected_s, patience, is_hedge))

    def _pause_s(self) -> float | None:
        """Until the next attempt becomes late; None = none will."""
        at_s = min(one.patience.give_up_at_s for one in self._running)
        if self._can_hedge:
            at_s = min(at_s, *(one.patience.hedge_at_s for one in self._running))
        return None if math.isinf(at_s) else max(0.0, at_s - self._clock())

    def _take_done(self) -> tuple[Attempt[T], T] | None:
        """The first answer among the finished ones; where all have failed, the next model begins."""
        done = [one for one in self._running if one.task.done()]
        winner = next((one for one in done if one.task.exception() is None), None)
        if winner is not None:
            self._running.remove(winner)
            return winner, winner.task.result()
        for one in done:
            self._running.remove(one)
            self._ended.append(one)
            error = one.task.exception()
            if not isinstance(error, EngineUnavailable | EngineOverloaded):
                raise error or asyncio.CancelledError
            if not self._running:
                self._begin(self._choices.after_error(one.record, error))
        return None

    async def _look_at_clock(self) -> None:
        now_s = self._clock()
        for late in [one for one in self._running if one.patience.give_up_at_s <= now_s]:
            replacement = None if len(self._running) > 1 else self._choices.beside(late.record, False)
            if len(self._running) == 1 and replacement is None:
                late.patience = Patience(math.inf, math.inf)
                continue
            await self._stop([late], "too_slow")
            if replacement is not None:
                self._begin(replacement)
        late_one = next((one for one in self._running if one.patience.hedge_at_s <= now_s), None)
        if self._can_hedge and late_one is not None:
            self._can_hedge = False
            hedge = self._choices.beside(late_one.record, True)
            if hedge is not None:
                self._begin(hedge, is_hedge=True)

    async def _stop(self, attempts: list[Attempt[T]], reason: StopReason | None) -> None:
        """Cancel and see it done, so that the engines' slots are free; None = the client went away, or an error."""
        for one in attempts:
            one.record.stopped_as = reason
            one.task.cancel()
        results = await asyncio.gather(*(one.task for one in attempts), return_exceptions=True)
        for one, result in zip(attempts, results, strict=True):
            self._running.remove(one)
            self._ended.append(one)
            if not isinstance(result, BaseException):
                await self._choices.discard(result)
