"""The settings of the section `orchestrator`."""

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.durations import Duration


class OrchestratorSettings(Contract):
    """What is done about models that are late or fail, and how wide a task may fan out."""

    hedge_share: float = Field(default=0.05, ge=0, le=1)
    """Of the requests that a policy routes, how many may get a second model beside a late first one; 0 = none."""
    hedge_quantile: float = Field(default=0.95, gt=0, lt=1)
    """A request is late once this share of the last answers was there, each measured by what was expected of it."""
    slow_factor: float = Field(default=4.0, gt=1)
    """A model that takes so many times what was expected is given up for the next best one."""
    slow_share: float = Field(default=0.5, gt=0, le=1)
    """It may also take no more than this share of what is left of the deadline."""
    circuit_failure_share: float = Field(default=0.5, gt=0, le=1)
    """A model of whose requests so many fail is left alone for a while."""
    circuit_min_calls: int = Field(default=10, ge=1)
    """Fewer requests in the window prove nothing."""
    circuit_window: Duration = 30.0
    circuit_open: Duration = 10.0
    """How long it is left alone before one request tries it again."""
    max_fan_out: int = Field(default=8, ge=1, le=1024)
    """Calls of one task that run at once."""
