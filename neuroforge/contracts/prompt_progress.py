"""How far an optimisation is."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.rules import Estimate

OptimizePhase = Literal["suggesting", "searching", "selecting", "testing", "done"]


class OptimizeProgress(Contract):
    """Where a run stands; spend is over all its starts."""

    phase: OptimizePhase
    generation: int = Field(default=0, ge=0)
    n_candidates: int = Field(default=0, ge=0)
    best: Estimate | None = None
    """Fitness of the best so far on the items that it has seen, with a 95 % interval."""
    n_calls: int = Field(default=0, ge=0)
    """Measured ones, the test's among them."""
    n_calls_max: int | None = Field(default=None, ge=0)
    """`budget.max_calls` and the test's; None = nothing limits them."""
    n_tokens: int = Field(default=0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    elapsed_s: float = Field(default=0.0, ge=0)
    budget: Budget
    eta_s: float | None = Field(default=None, ge=0)
    """Until the budget is used up at the search's pace, which is the latest that it ends; None = unknown."""
    warnings: tuple[str, ...] = ()
    """All so far."""
