"""How an experiment is run: what is planned, what an executor is given, what comes out."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.experiments import Budget, CostEstimate, ExperimentConfig, Progress, Variant
from neuroforge.contracts.models import EngineStats, Price
from neuroforge.contracts.runs import RunState

RunStop = Literal["max_calls", "max_tokens", "max_cost_usd", "max_duration", "cancelled", "disk_full"]
"""Why no further call starts."""


class ModelFacts(Contract):
    """One contestant, or the judge, as it is hosted when the run is set up."""

    model_id: str
    digest: str | None = None
    """SHA-256 of its weights; None = only its name tells what it is."""
    price: Price = Price()
    stats: EngineStats | None = None
    """None while it is not loaded, and of an upstream."""
    is_ready: bool = True


class PlannedLane(Contract):
    """Cells that are still to be asked, as batches in a file."""

    model_ids: tuple[str, ...] = Field(min_length=1)
    queue: str
    n_batches: int = Field(ge=1)
    n_cells: int = Field(ge=1)


class ExperimentPlan(Contract):
    """What `ExperimentRunner.setup_experiment` found; plan.json in the experiment's directory."""

    id: str
    """The directory's name."""
    directory: str
    """config.json, items.jsonl, plan.json, matrix.parquet, journal/, scores.jsonl, progress.json, cells.parquet."""
    config: ExperimentConfig
    variants: tuple[Variant, ...]
    models: tuple[ModelFacts, ...]
    judge: ModelFacts | None = None
    """None = no judge was asked for."""
    n_items: int = Field(ge=1)
    n_cells: int = Field(ge=1)
    n_settled: int = Field(default=0, ge=0)
    """Cells that an earlier run of the same directory has answered for good."""
    estimate: CostEstimate
    """Of what is left."""
    lanes: tuple[PlannedLane, ...] = ()
    """Empty = nothing is left to ask."""


class LaneModel(Contract):
    """One model of a lane."""

    model_id: str
    n_slots: int = Field(ge=1)
    """Calls at once, to begin with."""
    n_slots_max: int = Field(ge=1)
    price: Price = Price()
    down: str | None = None
    """Why it cannot be asked at all; its cells become errors without a call."""


class Lane(Contract):
    """Batches that one executor asks in the order of their queue. Picklable; all paths are on the head node."""

    directory: str
    """The experiment's: replies are journalled below it, and the budget's ledger lies in it."""
    queue: str
    """JSONL of CellBatch."""
    writer: str
    """How the journal files of the lane begin; another for each run and lane."""
    n_batches: int = Field(ge=1)
    n_cells: int = Field(ge=1)
    models: tuple[LaneModel, ...] = Field(min_length=1)
    is_exclusive: bool = False
    """One model at a time: on shared cores each would measure the others' load."""
    budget: Budget = Budget()

    @property
    def n_batches_at_once(self) -> int:
        """Batches under way together: enough to fill every slot while the slowest cells of others end."""
        n_a_batch = max(1, self.n_cells // self.n_batches)
        return sum(2 + -(-model.n_slots_max // n_a_batch) for model in self.models)


class MatrixResult(Contract):
    """What `ExperimentRunner.execute_matrix` came to."""

    plan: ExperimentPlan
    state: RunState
    """done, interrupted (cells are left: `progress.stopped_by` says why) or cancelled."""
    progress: Progress
    cells: str
    """cells.parquet, with the columns of `contracts.analysis.CELL_COLUMNS`; only of cells that were asked."""
    down: dict[str, str] = Field(default_factory=dict)
    """Models that were given up in this run, with their last error."""
