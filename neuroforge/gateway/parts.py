"""What the gateway is told and what it works with."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from neuroforge.contracts.base import Contract
from neuroforge.contracts.ports import Clock, Fleet, FleetView, Metrics, MetricsSource, Orchestrator, TaskExecutor
from neuroforge.contracts.ports_experiments import ExperimentsDesk
from neuroforge.contracts.ports_learning import Learner, LiveTestDesk, OutcomeData, RulesStore
from neuroforge.contracts.ports_prompt_runs import PromptRunDesk
from neuroforge.contracts.ports_prompts import PromptDesk
from neuroforge.contracts.ports_state import StateStore
from neuroforge.gateway.prompt_uses import PromptUses


class GatewayOptions(Contract):
    """What the composition root decides for one gateway replica."""

    replica_id: str
    version: str
    is_loopback: bool = True
    """Whether the endpoint listens on this machine only; if not, every request needs a key."""
    require_keys: bool = False
    """Demand a key even where nobody made one yet."""
    local_peers: frozenset[str] = frozenset()
    """Addresses that count as this machine beside loopback: those that the Serve proxy connects from."""
    allowed_hosts: frozenset[str] = frozenset()
    """Host names, beside loopback ones, under which a keyless gateway may be addressed."""
    server_tells_request_id: bool = False
    """Whether the server around the app puts the request's x-request-id on the answer by itself, as Ray Serve does."""
    cors_origins: tuple[str, ...] = ()
    request_timeout_s: float = Field(default=600.0, gt=0)
    """Deadline of a request that brings none of its own."""
    deadline_slack_s: float = Field(default=1.0, ge=0)
    """The orchestrator keeps the deadline and frees the slot; this much later the gateway gives up on it."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    requests_per_minute: int | None = Field(default=None, ge=1)
    """For keys without a limit of their own; None = no limit."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    exchange_interval_s: float = Field(default=1.0, gt=0)
    """How often the replica hands over its audit events and learns of keys."""
    decision_wait_s: float = Field(default=1.5, ge=0)
    """How long to ask for a decision that the learner does not know yet: outcomes reach it within a second."""
    decision_poll_s: float = Field(default=0.25, ge=0)
    """How often it is asked meanwhile."""
    dashboard_url: str | None = None


@dataclass(frozen=True)
class GatewayParts:
    """Everything that `build_app` needs; the implementations come from the composition root."""

    options: GatewayOptions
    orchestrator: Orchestrator
    tasks: TaskExecutor
    fleet_view: FleetView
    fleet: Fleet
    state: StateStore
    metrics: Metrics
    metrics_source: MetricsSource
    learner: Learner | None = None
    """None = nothing is learned: the routes that need it answer 503."""
    rules: RulesStore | None = None
    live_tests: LiveTestDesk | None = None
    data: OutcomeData | None = None
    prompts: PromptDesk | None = None
    """None = no registry here: prompts are served, but not changed."""
    prompt_uses: PromptUses = field(default_factory=PromptUses)
    """What the orchestrator tells its outcomes."""
    experiments: ExperimentsDesk | None = None
    """None = no experiments here: their routes answer 503."""
    prompt_runs: PromptRunDesk | None = None
    clock: Clock = time.monotonic
    wall_clock: Clock = time.time
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
    """Further loops that live as long as the app does; each is cancelled at shutdown."""
