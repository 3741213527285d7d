"""The trials of a search's step -> cohorts over one block of items -> what they came to, told at a barrier. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from neuroforge.contracts.base import Contract
from neuroforge.contracts.prompts import PromptCandidate
from neuroforge.prompts.evolution_state import Trial

LARGEST = 64
"""Candidates of a cohort: each cohort costs Tune up to a second, so the more share one the better."""
FEWEST = 16
"""Below which a step is not cut further to occupy more workers."""


class Cohort(Contract):
    """Candidates that one worker takes through one block."""

    number: int
    block: int
    item_ids: tuple[str, ...]
    candidates: tuple[PromptCandidate, ...]

    def trials(self) -> tuple[Trial, ...]:
        """The same, one by one."""
        return tuple(Trial(one, self.block, self.item_ids) for one in self.candidates)


def cut(trials: tuple[Trial, ...], n_workers: int, first: int) -> list[Cohort]:
    """Return cohorts of near the same size in the trials' order, numbered from `first` on.

    Args:
        trials: At least one; all of one block, as the engine asks for them.
        n_workers: Cohorts that can run at once.
    """
    n_cohorts = max(-(-len(trials) // LARGEST), min(n_workers, len(trials) // FEWEST), 1)
    bounds = [len(trials) * place // n_cohorts for place in range(n_cohorts + 1)]
    return [
        Cohort(
            number=first + place,
            block=trials[0].block,
            item_ids=trials[0].item_ids,
            candidates=tuple(trial.candidate for trial in trials[start:end]),
        )
        for place, (start, end) in enumerate(pairwise(bounds))
    ]


@dataclass
class Race:
    """Hands out one step's cohorts, and has the engine decide who goes on when the last of them is through.

    `advance` takes the trials that are through and returns those of the next step; none = the search is over.
    """

    advance: Callable[[tuple[Trial, ...]], tuple[Trial, ...]]
    n_workers: int
    step: tuple[Trial, ...]
    """Trials of the first step."""
    failure: Exception | None = None
    """Raised to whoever asks next."""
    _n_cut: int = 0
    _waiting: deque[Cohort] = field(default_factory=deque)
    _running: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Cut the first step."""
        self._cut()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles all it is given, for a restore that is never asked of it (docs/decisions/148)."""
        return {}

    @property
    def is_over(self) -> bool:
        """Whether no step is left."""
        return not self.step

    def next(self) -> Cohort | None:
        """Return a cohort to run; None while all that may run does, and when the search is over.

        Raises:
            Exception: `failure`.
        """
        self.check()
        if not self._waiting or len(self._running) >= self.n_workers:
            return None
        cohort = self._waiting.popleft()
        self._running.add(cohort.number)
        return cohort

    def finish(self, number: int) -> None:
        """Take note that a cohort is through; after the last one the engine is told, races and is asked anew."""
        self._running.remove(number)
        if self._waiting or self._running:
            return
        try:
            self.step = self.advance(self.step)
        except Exception as error:  # noqa: BLE001 - raised by `check`: from here Tune would make text of it
            self.failure = error
        else:
            self._cut()

    def check(self) -> None:
        """Raise `failure` if there is one."""
        if self.failure is not None:
            raise self.failure

    def _cut(self) -> None:
        if self.step:
            self._waiting.extend(cut(self.step, self.n_workers, self._n_cut))
            self._n_cut += len(self._waiting)
