"""desired models -> reconcile -> Serve applications: the only place that loads and unloads.

A plain class: Ray comes in through the `Deployer`. State that must survive a crash (the specs) is in the registry;
what runs is read back from Serve, so a restarted controller finds its fleet as it is.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from cluster.fleet_diff import compare, differing_fields, is_preloaded, needs_deployment, needs_restart
from cluster.fleet_model import Describe, FleetModel, Observed
from cluster.fleet_ports import Deployer, SpecStore
from neuroforge.contracts.fleet import ActivityReport, ApplyRequest, FleetDiff, SpecChange
from neuroforge.contracts.models import (
    Capability,
    EngineKind,
    EngineStats,
    ModelEndpoint,
    ModelSpec,
    ModelState,
    ModelStatus,
    ReplicaRange,
)
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.errors import ModelNotFound, NeuroForgeError

logger = logging.getLogger(__name__)

DEFAULT_IDLE_S = 300.0
"""keep_alive of a model with replicas.min 0 that names none."""


class FleetController:
    """Makes the fleet what is wished; see the module docstring."""

    def __init__(
        self,
        registry: SpecStore,
        deployer: Deployer,
        describe: Describe,
        now_s: Clock,
        digest_of: Callable[[ModelSpec], str | None] = lambda _spec: None,
    ) -> None:
        """Args:
        digest_of: SHA-256 of a model's weights, where they are known.
        """
        self._registry = registry
        self._deployer = deployer
        self._describe = describe
        self._now_s = now_s
        self._digest_of = digest_of
        self._models: dict[str, FleetModel] = {}
        self._lock = asyncio.Lock()
        self._version = 0
        self._published: tuple[ModelEndpoint, ...] = ()
        self._wake = asyncio.Event()

    async def restore(self) -> None:
        """Take up what the registry and Serve say; call once before `run`."""
        running = await asyncio.to_thread(self._deployer.observe)
        for spec in await self._registry.list_specs():
            self._models[spec.id] = FleetModel(spec, is_wanted=spec.id in running, last_used_s=self._now_s())
        self._take(running)

    async def adopt(self, specs: Iterable[ModelSpec]) -> None:
        """At start, make the fleet what the configuration lists; what cannot be loaded is `failed`, the rest go on."""
        wished = {spec.id: spec for spec in specs}
        for model_id in self._models.keys() - wished.keys():
            self._models[model_id].is_wanted = False
            await self._step(self._models[model_id])
            await self._registry.remove_spec(model_id)
            del self._models[model_id]
        for spec in wished.values():
            model = await self._put(spec)
            model.is_wanted = is_preloaded(spec)
            try:
                await asyncio.to_thread(self._deployer.check, spec)
            except NeuroForgeError as error:
                model.state, model.error, model.is_wanted = ModelState.FAILED, error.message, False
                logger.warning("model cannot be loaded", extra={"model_id": spec.id, "reason": error.code})

    async def snapshot(self) -> FleetSnapshot:
        """Where every model answers now."""
        endpoints = tuple(model.endpoint(self._describe) for model in self._models.values())
        if endpoints != self._published:
            self._published = endpoints
            self._version += 1
        return FleetSnapshot(version=self._version, models=endpoints)

    async def exchange(self, report: ActivityReport) -> FleetSnapshot:
        """Note what a gateway replica used, and tell it where models are."""
        for activity in report.activities:
            if (model := self._models.get(activity.model_id)) is None:
                continue
            model.n_in_flight_by_replica[report.replica_id] = activity.n_in_flight
            if activity.n_in_flight:
                model.last_used_s = self._now_s()
            elif activity.last_used_s is not None:
                model.last_used_s = max(model.last_used_s or 0.0, activity.last_used_s)
        return await self.snapshot()

    async def statuses(self) -> tuple[ModelStatus, ...]:
        """Every desired model, in order of id."""
        return tuple(self._status(self._models[model_id]) for model_id in sorted(self._models))

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        """Wish it loaded; with `spec`, add or change it first. Returns before it is ready.

        Raises:
            ModelNotFound: Neither known nor given.
            OutOfMemory, AssetNotFound, ConfigError: It could not be loaded.
        """
        known = self._models.get(model_id)
        wanted = spec or (known.spec if known else None)
        if wanted is None:
            raise self._not_found(model_id)
        if known is None or known.state not in {ModelState.READY, ModelState.LOADING} or wanted != known.spec:
            await asyncio.to_thread(self._deployer.check, wanted)
        model = await self._put(wanted)
        model.is_wanted, model.error = True, None
        if model.state == ModelState.FAILED:
            model.is_stale = True
        model.last_used_s = self._now_s()
        self._wake.set()
        return self._status(model, is_pending=True)

    async def unload(self, model_id: str) -> ModelStatus:
        """Wish it gone from memory. Returns before it is.

        Raises:
            ModelNotFound: The id is not known.
        """
        model = self._find(model_id)
        model.is_wanted = False
        self._wake.set()
        return self._status(model, is_pending=True)

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        """Change how many replicas may run.

        Raises:
            ModelNotFound: The id is not known.
        """
        spec = self._find(model_id).spec
        model = await self._put(ModelSpec.model_validate(spec.model_dump() | {"replicas": replicas.model_dump()}))
        self._wake.set()
        return self._status(model, is_pending=True)

    async def apply(self, request: ApplyRequest) -> FleetDiff:
        """Make the fleet what the request lists; what did not change is not touched.

        Raises:
            OutOfMemory, AssetNotFound, ConfigError: A model to be loaded could not be; nothing was changed.
        """
        known = {model_id: model.spec for model_id, model in self._models.items()}
        wanted_ids = {model_id for model_id, model in self._models.items() if model.is_wanted}
        changes = tuple(compare(known, wanted_ids, request.models))
        if request.dry_run:
            return FleetDiff(changes=changes)
        specs = {spec.id: spec for spec in request.models}
        for change in changes:
            if change.kind != "remove" and is_preloaded(specs[change.model_id]):
                await asyncio.to_thread(self._deployer.check, specs[change.model_id])
        async with self._lock:
            for change in changes:
                await self._make(change, specs)
        self._wake.set()
        return FleetDiff(changes=changes, applied=True)

    async def report_failure(self, model_id: str, message: str) -> None:
        """A replica could not start: keep its own words, which Serve would bury in a traceback."""
        if model := self._models.get(model_id):
            model.error = message

    def report_abilities(self, model_id: str, context_length: int, capabilities: frozenset[Capability]) -> None:
        """A replica has loaded: what this very model can do, which its engine in general does not tell."""
        if model := self._models.get(model_id):
            model.abilities = (context_length, capabilities)

    def record_stats(self, model_id: str, stats: EngineStats) -> None:
        """Keep what a replica says of itself."""
        if model := self._models.get(model_id):
            model.stats = stats

    def record_health(self, model_id: str, error: str | None) -> None:
        """Keep whether an upstream answers. Of our own models Serve knows better: a busy one may be slow to tell."""
        model = self._models.get(model_id)
        if model is not None and model.spec.engine == EngineKind.OPENAI_HTTP:
            model.health_error = error

    def ready_endpoints(self) -> tuple[ModelEndpoint, ...]:
        """Models whose statistics can be asked for."""
        return tuple(one.endpoint(self._describe) for one in self._models.values() if one.state == ModelState.READY)

    async def reconcile(self) -> None:
        """One step towards the wish; idempotent."""
        async with self._lock:
            self._take(await asyncio.to_thread(self._deployer.observe))
            for model in list(self._models.values()):
                if model.is_idle(self._now_s(), DEFAULT_IDLE_S):
                    model.is_wanted = False
                try:
                    await self._step(model)
                except Exception as error:  # one model that cannot be deployed must not stop the others
                    logger.exception("deploying failed", extra={"model_id": model.spec.id})
                    model.state, model.error = ModelState.FAILED, f"{type(error).__name__}: {error}"

    async def run(self, period_s: float = 1.0) -> None:
        """Reconcile for ever, at once after each change of wish."""
        while True:
            try:
                await self.reconcile()
            except Exception:  # this loop is what heals the fleet, so it must survive
                logger.exception("reconcile failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), period_s)
            self._wake.clear()

    async def _make(self, change: SpecChange, specs: dict[str, ModelSpec]) -> None:
        if change.kind == "remove":
            self._models[change.model_id].is_wanted = False
            await self._registry.remove_spec(change.model_id)
            await self._step(self._models[change.model_id])
            del self._models[change.model_id]
            return
        spec = specs[change.model_id]
        model = await self._put(spec)
        if change.kind in {"add", "load"}:
            model.is_wanted = is_preloaded(spec)

    async def _put(self, spec: ModelSpec) -> FleetModel:
        await self._registry.put_spec(spec)
        known = self._models.get(spec.id)
        if known is None:
            known = self._models[spec.id] = FleetModel(spec, is_wanted=False)
            return known
        fields = differing_fields(known.spec, spec)
        known.is_stale = known.is_stale or needs_deployment(fields)
        if needs_restart(fields):
            known.abilities = None
        known.spec = spec
        return known

    async def _step(self, model: FleetModel) -> None:
        is_up = model.state in {ModelState.LOADING, ModelState.READY}
        if model.state == ModelState.UNLOADING:
            return
        if model.is_wanted and (model.is_stale or model.state == ModelState.UNLOADED):
            await asyncio.to_thread(self._deployer.deploy, model.spec)
            model.is_stale = False
            model.state = ModelState.LOADING
            logger.info("model is loading", extra={"model_id": model.spec.id})
        elif not model.is_wanted and (is_up or model.state == ModelState.FAILED):
            await asyncio.to_thread(self._deployer.delete, model.spec.id)
            model.state, model.stats, model.error = ModelState.UNLOADING, None, None
            logger.info("model is unloading", extra={"model_id": model.spec.id})

    def _take(self, running: dict[str, Observed]) -> None:
        for model_id, model in self._models.items():
            model.take(running.get(model_id, Observed(ModelState.UNLOADED)), self._now_s())

    def _status(self, model: FleetModel, is_pending: bool = False) -> ModelStatus:
        return model.status(self._describe, self._digest_of(model.spec), is_pending)

    def _find(self, model_id: str) -> FleetModel:
        if (model := self._models.get(model_id)) is None:
            raise self._not_found(model_id)
        return model

    def _not_found(self, model_id: str) -> NeuroForgeError:
        known = sorted(self._models)
        return ModelNotFound(
            f"model {model_id!r} is not in the fleet; it has: {', '.join(known) or 'none'}",
            model_id=model_id,
            known=known,
        )
