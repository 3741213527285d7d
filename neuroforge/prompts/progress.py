"""What a run does -> OptimizeProgress, told after each answer and each step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompt_progress import OptimizePhase, OptimizeProgress
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.workspace import Workspace


class Mark(NamedTuple):
    """What was used up at a moment."""

    elapsed_s: float
    used: tuple[float, float, float]
    """Measured calls, tokens and USD."""


@dataclass
class ProgressTeller:
    """Keeps what was last known of the search, and tells it with what was spent."""

    budget: Budget
    n_test_calls: int
    workspace: Workspace
    tell: Callable[[OptimizeProgress], None]
    phase: OptimizePhase = "suggesting"
    warnings: list[str] = field(default_factory=list)
    _state: EvolutionState = field(default_factory=EvolutionState)
    _begun: Mark | None = None
    """When this start of the run began to search."""

    def enter(self, phase: OptimizePhase) -> None:
        """Begin a stage."""
        self.phase = phase
        if phase == "searching":
            self._begun = self._mark()
        self._tell()

    def see_state(self, state: EvolutionState) -> None:
        """Take in a step of the search."""
        self._state = state
        self.workspace.watch.keep()
        self._tell()

    def see_result(self, _result: ItemResult) -> None:
        """Take in an answer, which is in the log already."""
        self.workspace.watch.tick()
        self._tell()

    def _mark(self) -> Mark:
        spent = self.workspace.spent()
        used = (float(self.workspace.log.spent.n_calls), float(spent.n_tokens), spent.cost_usd)
        return Mark(self.workspace.watch.elapsed_s, used)

    def _tell(self) -> None:
        now = self._mark()
        self.tell(
            OptimizeProgress(
                phase=self.phase,
                generation=self._state.generation,
                n_candidates=len(self._state.candidates),
                best=self._state.history[-1].fitness if self._state.history else None,
                n_calls=int(now.used[0]),
                n_calls_max=None if self.budget.max_calls is None else self.budget.max_calls + self.n_test_calls,
                n_tokens=int(now.used[1]),
                cost_usd=now.used[2],
                elapsed_s=now.elapsed_s,
                budget=self.budget,
                eta_s=None if self._begun is None else time_left_s(self.budget, self._begun, now),
                warnings=tuple(self.warnings),
            )
        )


def time_left_s(budget: Budget, begun: Mark, now: Mark) -> float | None:
    """Return when the tightest limit is reached if the search goes on as it went; None without a limit or a pace."""
    limits = (budget.max_calls, budget.max_tokens, budget.max_cost_usd)
    passed_s = now.elapsed_s - begun.elapsed_s
    found = [
        passed_s * max(0.0, limit - used) / (used - before)
        for limit, used, before in zip(limits, now.used, begun.used, strict=True)
        if limit is not None and used > before
    ]
    if budget.max_duration is not None:
        found.append(max(0.0, budget.max_duration - now.elapsed_s))
    return min(found, default=None)
