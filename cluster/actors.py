"""ray.remote(PlainClass): the single writer of state, and the fleet controller."""

import asyncio
import logging
import os
import time
from typing import Any

import ray

from cluster.applications import ServeApplications, default_builders
from cluster.describe import describe_model
from cluster.detached import get_or_create
from cluster.engine_client import build_engine_client
from cluster.fleet import FleetController
from cluster.handles import StateHandle
from cluster.names import FLEET_ACTOR, STATE_ACTOR
from cluster.secrets import read_or_create_token
from cluster.weights import weights_digest
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.fleet import ActivityReport, ApplyRequest, FleetDiff
from neuroforge.contracts.keys import (
    ApiKey,
    AuditRecord,
    AuditVerdict,
    AuthSnapshot,
    CreatedKey,
    GatewayReport,
    KeySpec,
)
from neuroforge.contracts.models import Capability, EngineKind, ModelEndpoint, ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.engines.client import HttpEngineClient
from neuroforge.errors import NeuroForgeError
from neuroforge.settings import Settings
from neuroforge.storage.state import StateExchange
from neuroforge.storage.store import open_store

logger = logging.getLogger(__name__)


class StateActor:
    """The only process that writes to the database: synchronous, so one call at a time."""

    def __init__(self, settings: Settings) -> None:
        self._store = open_store(settings.storage.sql_url, time.time)
        self._state = StateExchange(self._store, time.time)
        self._token = read_or_create_token(settings.storage.home / "internal-token")

    def internal_token(self) -> str:
        """What a model's application asks of its callers. Over a handle, since a file exists on the head node only."""
        return self._token

    def exchange(self, report: GatewayReport) -> AuthSnapshot:
        """See StateStore."""
        return self._state.exchange(report)

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """See StateStore."""
        return self._state.create_key(spec)

    def list_keys(self) -> tuple[ApiKey, ...]:
        """See StateStore."""
        return self._state.list_keys()

    def revoke_key(self, key_id: str) -> ApiKey:
        """See StateStore."""
        return self._state.revoke_key(key_id)

    def tail_audit(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """See StateStore."""
        return self._state.tail_audit(limit, after_seq)

    def verify_audit(self) -> AuditVerdict:
        """See StateStore."""
        return self._state.verify_audit()

    def list_prompts(self) -> tuple[PromptEntry, ...]:
        """See PromptStore."""
        return self._state.list_prompts()

    def promote_prompt(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """See PromptStore."""
        return self._state.promote_prompt(name, promotion)

    def rollback_prompt(self, name: str, alias: str, version: int | None) -> PromptEntry:
        """See PromptStore."""
        return self._state.rollback_prompt(name, alias, version)

    def list_specs(self) -> tuple[ModelSpec, ...]:
        """See ModelRegistry."""
        return self._store.list_specs()

    def put_spec(self, spec: ModelSpec) -> None:
        """See ModelRegistry."""
        self._store.put_spec(spec)

    def remove_spec(self, model_id: str) -> None:
        """See ModelRegistry."""
        self._store.remove_spec(model_id)


class FleetActor:
    """FleetController with its loops: reconcile, and asking the models for their statistics."""

    def __init__(self, settings: Settings) -> None:
        state = StateHandle(get_state_actor(settings))
        home, drain_s = settings.storage.home, settings.gateway.request_timeout
        self._token = ray.get(get_state_actor(settings).internal_token.remote())
        store = AssetStore(home)
        self._controller = FleetController(
            registry=state,
            deployer=ServeApplications(home, default_builders(home, drain_s, len(settings.models))),
            describe=lambda spec, model_state: describe_model(spec, model_state, settings.gateway.port, os.environ),
            now_s=time.time,
            digest_of=lambda spec: weights_digest(store, spec),
        )
        self._specs = settings.models
        self._starting = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def _started(self) -> FleetController:
        """Return the controller, its loops running. Each call comes by here: nobody else wakes a restarted actor."""
        async with self._starting:
            if not self._tasks:
                await self._controller.restore()
                if not ray.get_runtime_context().was_current_actor_reconstructed:
                    await self._controller.adopt(self._specs)
                self._tasks = [
                    asyncio.create_task(self._controller.run()),
                    asyncio.create_task(self._poll_stats()),
                ]
        return self._controller

    async def snapshot(self) -> FleetSnapshot:
        """See Fleet."""
        return await (await self._started()).snapshot()

    async def exchange(self, report: ActivityReport) -> FleetSnapshot:
        """See Fleet."""
        return await (await self._started()).exchange(report)

    async def statuses(self) -> tuple[ModelStatus, ...]:
        """See Fleet."""
        return await (await self._started()).statuses()

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        """See Fleet."""
        return await (await self._started()).load(model_id, spec)

    async def unload(self, model_id: str) -> ModelStatus:
        """See Fleet."""
        return await (await self._started()).unload(model_id)

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        """See Fleet."""
        return await (await self._started()).scale(model_id, replicas)

    async def apply(self, request: ApplyRequest) -> FleetDiff:
        """See Fleet."""
        return await (await self._started()).apply(request)

    async def report_abilities(self, model_id: str, context_length: int, capabilities: frozenset[Capability]) -> None:
        """See FleetController."""
        self._controller.report_abilities(model_id, context_length, capabilities)

    async def report_failure(self, model_id: str, message: str) -> None:
        """See FleetController."""
        await self._controller.report_failure(model_id, message)

    async def _poll_stats(self, period_s: float = 2.0) -> None:
        client = build_engine_client(self._token)
        while True:
            async with asyncio.TaskGroup() as group:
                for endpoint in self._controller.ready_endpoints():
                    group.create_task(self._ask(client, endpoint))
            await asyncio.sleep(period_s)

    async def _ask(self, client: HttpEngineClient, endpoint: ModelEndpoint) -> None:
        """Statistics of our own engines; of an upstream, which has none, whether it answers."""
        try:
            if endpoint.engine == EngineKind.OPENAI_HTTP:
                await client.check(endpoint)
            else:
                self._controller.record_stats(endpoint.model_id, await client.stats(endpoint))
        except NeuroForgeError as error:
            logger.info("model does not answer", extra={"model_id": endpoint.model_id, "reason": error.code})
            self._controller.record_health(endpoint.model_id, error.message)
        else:
            self._controller.record_health(endpoint.model_id, None)


_RemoteStateActor = ray.remote(StateActor)
_RemoteFleetActor = ray.remote(FleetActor)


def get_state_actor(settings: Settings) -> Any:
    """Return the handle, creating the actor on the head node if it is not there."""
    return get_or_create(_RemoteStateActor, STATE_ACTOR, settings)


def get_fleet_actor(settings: Settings) -> Any:
    """Return the handle, creating the actor on the head node if it is not there."""
    return get_or_create(_RemoteFleetActor, FLEET_ACTOR, settings, max_concurrency=256)
