"""How the running fleet differs from the wish, and what a gateway replica tells the fleet controller."""

from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.models import ModelSpec

ChangeKind = Literal["load", "unload", "update", "add", "remove", "none"]


class SpecChange(Contract):
    """One model's difference between two configurations."""

    model_id: str
    kind: ChangeKind
    fields: tuple[str, ...] = ()
    """Names of the settings that differ, for `update`."""
    needs_restart: bool = False
    """Whether the replicas must be replaced (true for all but price, tags, keep_alive and the like)."""


class FleetDiff(Contract):
    """What `apply` would do, or did."""

    changes: tuple[SpecChange, ...] = ()
    applied: bool = False


class ApplyRequest(Contract):
    """The whole desired list of models."""

    models: tuple[ModelSpec, ...]
    dry_run: bool = False


class ModelActivity(Contract):
    """One replica's view of one model's use, for keep_alive."""

    model_id: str
    n_in_flight: int = Field(ge=0)
    last_used_s: float | None = None
    """Unix time."""
    n_requests: int = Field(default=0, ge=0)
    """Since the last report."""


class ActivityReport(Contract):
    """Sent each second by each gateway replica."""

    replica_id: str
    activities: tuple[ModelActivity, ...] = ()
