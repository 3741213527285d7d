"""What the fleet controller knows of one model, and how it tells it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from neuroforge.contracts.models import Capability, EngineStats, ModelEndpoint, ModelSpec, ModelState, ModelStatus

Describe = Callable[[ModelSpec, ModelState], ModelEndpoint]


@dataclass(frozen=True)
class Observed:
    """What runs under a model's name."""

    state: ModelState
    n_replicas: int = 0
    message: str | None = None


@dataclass
class FleetModel:
    """One desired model: the wish (`spec`, `is_wanted`) and what was last seen of it."""

    spec: ModelSpec
    is_wanted: bool
    state: ModelState = ModelState.UNLOADED
    n_replicas: int = 0
    error: str | None = None
    loaded_at_s: float | None = None
    last_used_s: float | None = None
    n_in_flight_by_replica: dict[str, int] = field(default_factory=dict)
    stats: EngineStats | None = None
    abilities: tuple[int, frozenset[Capability]] | None = None
    """Context length and capabilities as the loaded model has them."""
    health_error: str | None = None
    """Why an upstream does not answer now."""
    is_stale: bool = False
    """The spec changed since it was deployed."""

    def take(self, seen: Observed, now_s: float) -> None:
        """Note what Serve says of it."""
        if self.state == ModelState.FAILED and seen.state == ModelState.UNLOADED:
            return  # it failed before Serve knew it: wait for the next load, do not try for ever
        if seen.state == ModelState.READY and self.state != ModelState.READY:
            self.loaded_at_s, self.error = now_s, None
            self.last_used_s = max(self.last_used_s or 0.0, now_s)
        if seen.state == ModelState.FAILED:
            self.error = self.error or seen.message
        self.state, self.n_replicas = seen.state, seen.n_replicas

    def is_idle(self, now_s: float, default_idle_s: float) -> bool:
        """Whether keep_alive has passed without a request; `default_idle_s` is for a model with replicas.min 0."""
        keep_s = self.spec.keep_alive
        if keep_s is None and self.spec.replicas.min == 0:
            keep_s = default_idle_s
        if keep_s is None or self.state != ModelState.READY or self.last_used_s is None:
            return False
        return not any(self.n_in_flight_by_replica.values()) and now_s - self.last_used_s >= keep_s

    def endpoint(self, describe: Describe) -> ModelEndpoint:
        """Where it answers and what it can do, for the gateway."""
        base = describe(self.spec, self._shown_state())
        context_length, capabilities = self.abilities or (base.context_length, base.capabilities)
        if self.spec.capabilities is not None:
            capabilities &= frozenset(self.spec.capabilities)
        return ModelEndpoint.model_validate(
            base.model_dump()
            | {
                "context_length": context_length,
                "capabilities": capabilities,
                "n_replicas": self.n_replicas,
                "parallel": self.spec.parallel * max(1, self.n_replicas),
                "stats": self.stats,
                "error": self.error or self.health_error or base.error,
            }
        )

    def status(self, describe: Describe, digest: str | None = None, is_pending: bool = False) -> ModelStatus:
        """What became of the wish, for people; `is_pending` shows the state that a change just asked for leads to."""
        endpoint = self.endpoint(describe)
        state = endpoint.state
        if is_pending and self.is_wanted and state in {ModelState.UNLOADED, ModelState.UNLOADING, ModelState.FAILED}:
            state = ModelState.LOADING
        if is_pending and not self.is_wanted and state in {ModelState.READY, ModelState.LOADING}:
            state = ModelState.UNLOADING
        return ModelStatus(
            id=self.spec.id,
            engine=self.spec.engine,
            state=state,
            error=endpoint.error,
            n_replicas=self.n_replicas,
            context_length=endpoint.context_length,
            capabilities=tuple(sorted(endpoint.capabilities)),
            loaded_at_s=self.loaded_at_s if state == ModelState.READY else None,
            last_used_s=self.last_used_s,
            stats=self.stats,
            tags=self.spec.tags,
            price=self.spec.price,
            keep_alive=self.spec.keep_alive,
            digest=digest,
        )

    def _shown_state(self) -> ModelState:
        is_away = self.state == ModelState.READY and self.health_error is not None
        return ModelState.FAILED if is_away else self.state
