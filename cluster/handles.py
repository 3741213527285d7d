"""Protocols over actor handles: with actors.py the only place of `.remote(`."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from ray.exceptions import RayActorError, RayTaskError

from cluster.detached import ONCE
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
from neuroforge.contracts.models import ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.errors import EngineUnavailable, NeuroForgeError, StorageError

T = TypeVar("T")
CALL_TIMEOUT_S = 30.0


async def call(reference: Awaitable[T], what: str, timeout_s: float | None = CALL_TIMEOUT_S) -> T:
    """Wait for an actor's answer; our own errors come back without Ray's traceback text.

    Raises:
        NeuroForgeError: As the actor raised it.
        EngineUnavailable: The actor is restarting or does not answer.
    """
    try:
        return await asyncio.wait_for(reference, timeout_s)
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, NeuroForgeError):
            raise cause from error
        raise StorageError(f"{what} failed: {type(cause).__name__}") from error
    except (RayActorError, TimeoutError) as error:
        raise EngineUnavailable(f"{what} does not answer; it is restarted by itself, try again") from error


class StateHandle:
    """StateStore, SpecStore and PromptStore, in the state actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def exchange(self, report: GatewayReport) -> AuthSnapshot:
        """See StateStore."""
        return await call(self._actor.exchange.remote(report), "the state actor")

    async def create_key(self, spec: KeySpec) -> CreatedKey:
        """See StateStore."""
        return await call(self._actor.create_key.remote(spec), "the state actor")

    async def list_keys(self) -> tuple[ApiKey, ...]:
        """See StateStore."""
        return await call(self._actor.list_keys.remote(), "the state actor")

    async def revoke_key(self, key_id: str) -> ApiKey:
        """See StateStore."""
        return await call(self._actor.revoke_key.remote(key_id), "the state actor")

    async def tail_audit(self, limit: int, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """See StateStore."""
        return await call(self._actor.tail_audit.remote(limit, after_seq), "the state actor")

    async def verify_audit(self) -> AuditVerdict:
        """See StateStore."""
        return await call(self._actor.verify_audit.remote(), "the state actor")

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        """See PromptStore."""
        return await call(self._actor.list_prompts.remote(), "the state actor")

    async def promote_prompt(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """See PromptStore."""
        return await call(self._actor.promote_prompt.remote(name, promotion), "the state actor")

    async def rollback_prompt(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """See PromptStore."""
        return await call(self._actor.rollback_prompt.options(**ONCE).remote(name, alias, version), "the state actor")

    async def list_specs(self) -> tuple[ModelSpec, ...]:
        """See ModelRegistry."""
        return await call(self._actor.list_specs.remote(), "the state actor")

    async def put_spec(self, spec: ModelSpec) -> None:
        """See ModelRegistry."""
        await call(self._actor.put_spec.remote(spec), "the state actor")

    async def remove_spec(self, model_id: str) -> None:
        """See ModelRegistry."""
        await call(self._actor.remove_spec.remote(model_id), "the state actor")


class FleetHandle:
    """Fleet, in the fleet actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def snapshot(self) -> FleetSnapshot:
        """See Fleet."""
        return await call(self._actor.snapshot.remote(), "the fleet controller")

    async def exchange(self, report: ActivityReport) -> FleetSnapshot:
        """See Fleet."""
        return await call(self._actor.exchange.remote(report), "the fleet controller")

    async def statuses(self) -> tuple[ModelStatus, ...]:
        """See Fleet."""
        return await call(self._actor.statuses.remote(), "the fleet controller")

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        """See Fleet."""
        return await call(self._actor.load.remote(model_id, spec), "the fleet controller")

    async def unload(self, model_id: str) -> ModelStatus:
        """See Fleet."""
        return await call(self._actor.unload.remote(model_id), "the fleet controller")

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        """See Fleet."""
        return await call(self._actor.scale.remote(model_id, replicas), "the fleet controller")

    async def apply(self, request: ApplyRequest) -> FleetDiff:
        """See Fleet."""
        return await call(self._actor.apply.remote(request), "the fleet controller")
