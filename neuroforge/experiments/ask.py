"""A batch -> its calls, retried while that helps -> replies, journalled one by one as they come."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from neuroforge.contracts.experiment_run import Lane, LaneModel
from neuroforge.contracts.experiments import CellBatch, CellReply, CellRequest
from neuroforge.contracts.ports import Clock
from neuroforge.errors import (
    AuthenticationError,
    DiskFull,
    EngineOverloaded,
    EngineUnavailable,
    ModelNotFound,
    NeuroForgeError,
    PermissionDenied,
    RateLimited,
    StreamInterrupted,
    first_of,
)
from neuroforge.experiments.hear import Heard
from neuroforge.experiments.journal import JournalIndex, ReplyJournal
from neuroforge.experiments.ledger import Ledger
from neuroforge.experiments.slots import SlotGate, Turnstile

MAX_ATTEMPTS = 3
MAX_ATTEMPTS_WHEN_FULL = 10
"""Of calls that were refused for want of room: waiting helps."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
_OPERATORS_MATTER = (AuthenticationError, PermissionDenied, ModelNotFound)
GIVE_UP_AFTER, GIVE_UP_AFTER_S = 6, 60.0
"""Cells in a row that failed, all attempts of each, and time since its last answer (or the run's start), after both of
which a model counts as down for this run: a gateway that starts again is away for some seconds only."""


class CellCaller(Protocol):
    """One call to a model."""

    async def call(self, request: CellRequest) -> Heard:
        """Raises NeuroForgeError. Cancelling it frees the engine's slot."""
        ...


@dataclass
class _Contestant:
    """One model's part of the run."""

    model: LaneModel
    gate: SlotGate
    down: str | None
    answered_at_s: float
    """By the asker's clock; the run's start before its first answer."""
    n_failed_in_a_row: int = 0

    @property
    def is_priced(self) -> bool:
        """Whether a call costs money."""
        return self.model.price.cost_usd(1, 1) > 0


@dataclass(frozen=True)
class AskClocks:
    """Time: `clock` monotonic, `now` Unix, `sleep` between attempts."""

    clock: Clock = time.monotonic
    now: Clock = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class CellAsker:
    """Asks one lane's batches, any number at a time, in one event loop. One of them is one writer."""

    def __init__(self, lane: Lane, writer: str, caller: CellCaller, clocks: AskClocks | None = None) -> None:
        """Args:
        writer: Name of its journal file. What others whose names begin with the lane's have answered is not asked
            again: they are this one, before its process died.

        Raises:
            ConflictError: Another process writes under this name.
            DiskFull: The journal cannot be made.
        """
        self._clocks = clocks or AskClocks()
        self._caller = caller
        directory = Path(lane.directory)
        self._ledger = Ledger(directory, lane.budget, self._clocks.now)
        self._answered = JournalIndex(directory, lane.writer)
        self._journal = ReplyJournal(directory, writer, self._clocks.clock)
        self._turnstile = Turnstile() if lane.is_exclusive else None
        begun_s = self._clocks.clock()
        self._contestants = {
            one.model_id: _Contestant(one, SlotGate(one.n_slots, one.n_slots_max), one.down, begun_s)
            for one in lane.models
        }

    def close(self) -> None:
        """Let journal and ledger go."""
        self._journal.close()
        self._ledger.close()

    async def ask_batch(self, batch: CellBatch) -> tuple[CellReply, ...]:
        """Return the replies, in the batch's order; cells that were not asked since the run was stopped are missing.

        Raises:
            DiskFull: The journal cannot be written; the run is stopped, what it holds is whole.
        """
        contestant = self._contestants[batch.model_id]
        if self._turnstile is None:
            return await self._ask_all(batch, contestant)
        async with self._turnstile.turn(batch.model_id):
            return await self._ask_all(batch, contestant)

    async def _ask_all(self, batch: CellBatch, contestant: _Contestant) -> tuple[CellReply, ...]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(request, contestant)) for request in batch.requests]
        except* DiskFull as errors:
            self._ledger.stop("disk_full")
            raise first_of(errors) from None
        return tuple(reply for task in tasks if (reply := task.result()) is not None)

    async def _ask(self, request: CellRequest, contestant: _Contestant) -> CellReply | None:
        if request.cell.id in self._answered:
            return next(self._answered.read([request.cell.id]))
        outcome = await self._attempt_until_done(request, contestant)
        if outcome is None:
            return None
        reply = CellReply.model_validate(
            {"cell_id": request.cell.id, "cache_key": request.cache_key, "at_s": self._clocks.now(), **outcome}
        )
        self._journal.append([reply])
        return reply

    async def _attempt_until_done(self, request: CellRequest, contestant: _Contestant) -> dict[str, Any] | None:
        """Hold the slot between attempts too: a model that fails is then asked less, by all cells together."""
        n_attempts = 0
        async with contestant.gate.slot():
            while True:
                if contestant.down is not None:
                    return _failure(EngineUnavailable(f"given up in this run: {contestant.down}"), n_attempts)
                if not self._ledger.admit(contestant.is_priced):
                    return None
                n_attempts += 1
                try:
                    heard = await self._caller.call(request)
                except NeuroForgeError as error:
                    if isinstance(error, EngineOverloaded):
                        contestant.gate.refused()
                    if n_attempts >= _most_attempts(error):
                        self._failed(error, contestant)
                        return _failure(error, n_attempts)
                    await self._clocks.sleep(_wait_s(error, n_attempts))
                else:
                    outcome = self._succeeded(heard, contestant, n_attempts)
                    break
        await asyncio.sleep(0)  # the slot's next call leaves before this reply is written down: the model waits less
        return outcome

    def _succeeded(self, heard: Heard, contestant: _Contestant, n_attempts: int) -> dict[str, Any]:
        usage = heard.usage
        cost_usd = contestant.model.price.cost_usd(usage.n_prompt_tokens, usage.n_completion_tokens)
        self._ledger.spend(usage.n_prompt_tokens + usage.n_completion_tokens, cost_usd)
        contestant.gate.answered()
        contestant.n_failed_in_a_row = 0
        contestant.answered_at_s = self._clocks.clock()
        return {
            "reply": heard.reply,
            "tool_calls": heard.tool_calls,
            "label_scores": heard.label_scores,
            "finish_reason": heard.finish_reason,
            "n_prompt_tokens": usage.n_prompt_tokens,
            "n_completion_tokens": usage.n_completion_tokens,
            "ttft_s": heard.ttft_s,
            "latency_s": heard.latency_s,
            "cost_usd": cost_usd,
            "n_attempts": n_attempts,
        }

    def _failed(self, error: NeuroForgeError, contestant: _Contestant) -> None:
        """What the request itself is to blame for says nothing of the model."""
        contestant.n_failed_in_a_row = contestant.n_failed_in_a_row + 1 if _may_pass(error) else 0
        silent_s = self._clocks.clock() - contestant.answered_at_s
        if contestant.n_failed_in_a_row >= GIVE_UP_AFTER and silent_s >= GIVE_UP_AFTER_S:
            contestant.down = contestant.down or error.message


def _failure(error: NeuroForgeError, n_attempts: int) -> dict[str, Any]:
    return {
        "error_code": error.code,
        "error": error.message,
        "is_retryable": _may_pass(error),
        "n_attempts": n_attempts,
    }


def _most_attempts(error: NeuroForgeError) -> int:
    if isinstance(error, EngineOverloaded | RateLimited):
        return MAX_ATTEMPTS_WHEN_FULL
    return MAX_ATTEMPTS if error.retryable or isinstance(error, StreamInterrupted) else 1


def _may_pass(error: NeuroForgeError) -> bool:
    """What the request itself is to blame for (too long, a refused field) will be the same next time.

    A key that was revoked or a model that was taken out is not the request's fault: an operator puts it right.
    """
    return error.retryable or error.http_status >= 500 or isinstance(error, _OPERATORS_MATTER)


def _wait_s(error: NeuroForgeError, n_attempts: int) -> float:
    asked_s = error.context.get("retry_after_s")
    wait_s = float(asked_s) if isinstance(asked_s, int | float) else FIRST_WAIT_S * 2.0 ** (n_attempts - 1)
    return min(wait_s, LONGEST_WAIT_S)
