"""What a run does -> OptimizeProgress, told after each answer and each step."""

from collections.abc import Callable
from dataclasses import dataclass, field

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompt_progress import OptimizePhase, OptimizeProgress
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.spend import Spent
from neuroforge.prompts.workspace import Workspace


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

    def enter(self, phase: OptimizePhase) -> None:
        """Begin a stage."""
        self.phase = phase
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

    def _tell(self) -> None:
        spent, elapsed_s = self.workspace.spent(), self.workspace.watch.elapsed_s
        self.tell(
            OptimizeProgress(
                phase=self.phase,
                generation=self._state.generation,
                n_candidates=len(self._state.candidates),
                best=self._state.history[-1].fitness if self._state.history else None,
                n_calls=self.workspace.log.spent.n_calls,
                n_calls_max=None if self.budget.max_calls is None else self.budget.max_calls + self.n_test_calls,
                n_tokens=spent.n_tokens,
                cost_usd=spent.cost_usd,
                elapsed_s=elapsed_s,
                budget=self.budget,
                eta_s=time_left_s(self.budget, self.workspace.log.spent.n_calls, spent, elapsed_s),
                warnings=tuple(self.warnings),
            )
        )


def time_left_s(budget: Budget, n_calls: int, spent: Spent, elapsed_s: float) -> float | None:
    """Return when the tightest limit is reached if all goes on as it went; None without a limit or a pace.

    Args:
        n_calls: Measured ones, which are those that the budget counts.
    """
    pairs = (
        (n_calls, budget.max_calls),
        (spent.n_tokens, budget.max_tokens),
        (spent.cost_usd, budget.max_cost_usd),
        (elapsed_s, budget.max_duration),
    )
    shares = [used / limit for used, limit in pairs if limit and used > 0]
    if not shares or elapsed_s <= 0:
        return None
    return max(0.0, elapsed_s * (1.0 / max(shares) - 1.0))
