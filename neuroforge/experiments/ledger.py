"""What a run may still spend, shared by all its writers on one machine: a small file under a lock."""

import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from neuroforge.contracts.experiment_run import RunStop
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.ports import Clock

NAME = "ledger"
_REASONS: tuple[RunStop, ...] = get_args(RunStop)
_FORM = struct.Struct("<qqddq")
"""Calls, tokens, USD, Unix time of the start, place of the reason to stop (-1 = none)."""


class Ledger:
    """Asks before each call and notes what it cost. A few microseconds each: no messages, no server.

    Calls are counted exactly. What calls in flight cost is known when they end, so tokens and money may pass their
    limit by what was in flight.
    """

    def __init__(self, directory: Path, budget: Budget, now: Clock = time.time) -> None:
        """Open the ledger that `Ledger.start` made. `now` is Unix time."""
        self._budget = budget
        self._now = now
        self._file = os.open(directory / NAME, os.O_RDWR)

    @staticmethod
    def start(directory: Path, budget: Budget, now: Clock = time.time) -> "Ledger":
        """Begin a run: nothing is spent yet."""
        (directory / NAME).write_bytes(_FORM.pack(0, 0, 0.0, now(), -1))
        return Ledger(directory, budget, now)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    @property
    def stopped_by(self) -> RunStop | None:
        """Why no further call starts; None = calls may start."""
        place = int(_FORM.unpack(os.pread(self._file, _FORM.size, 0))[4])
        return _REASONS[place] if place >= 0 else None

    def admit(self, is_priced: bool) -> bool:
        """Count one more call and return True; False when a budget is used up: then the call must not start.

        Args:
            is_priced: Whether the call will cost money; what is free goes on when the money is spent.
        """
        with self._locked() as (n_calls, n_tokens, cost_usd, begun_s, place):
            if place < 0:
                place = self._used_up(n_calls, n_tokens, begun_s)
                if place < 0 and is_priced and self._is_broke(cost_usd):
                    place = _REASONS.index("max_cost_usd")
                if place < 0:
                    self._write(n_calls + 1, n_tokens, cost_usd, begun_s, -1)
                    return True
                self._write(n_calls, n_tokens, cost_usd, begun_s, place)
            return False

    def spend(self, n_tokens: int, cost_usd: float) -> None:
        """Note what a call took."""
        with self._locked() as (n_calls, n_before, cost_before, begun_s, place):
            self._write(n_calls, n_before + n_tokens, cost_before + cost_usd, begun_s, place)

    def stop(self, reason: RunStop) -> None:
        """Let no further call start; the first reason stays."""
        with self._locked() as (n_calls, n_tokens, cost_usd, begun_s, place):
            if place < 0:
                self._write(n_calls, n_tokens, cost_usd, begun_s, _REASONS.index(reason))

    def _used_up(self, n_calls: int, n_tokens: int, begun_s: float) -> int:
        budget = self._budget
        limits: dict[RunStop, bool] = {
            "max_calls": budget.max_calls is not None and n_calls >= budget.max_calls,
            "max_tokens": budget.max_tokens is not None and n_tokens >= budget.max_tokens,
            "max_duration": budget.max_duration is not None and self._now() - begun_s >= budget.max_duration,
        }
        return next((_REASONS.index(name) for name, is_over in limits.items() if is_over), -1)

    def _is_broke(self, cost_usd: float) -> bool:
        return self._budget.max_cost_usd is not None and cost_usd >= self._budget.max_cost_usd

    def _write(self, *values: float) -> None:
        os.pwrite(self._file, _FORM.pack(*values), 0)

    @contextmanager
    def _locked(self) -> Iterator[tuple[int, int, float, float, int]]:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield _FORM.unpack(os.pread(self._file, _FORM.size, 0))
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
