"""ray.remote(PlainClass) of the prompt registry: MLflow and the store, told one change at a time."""

from typing import Any

import ray

from cluster.actors import get_state_actor
from cluster.detached import get_or_create
from cluster.handles import StateHandle
from cluster.names import PROMPTS_ACTOR
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.prompts.registry import ReleaseRegistry
from neuroforge.settings import Settings
from neuroforge.storage.prompt_history import MlflowPrompts


class PromptsActor:
    """ReleaseRegistry in a process of its own, which is the one that imports mlflow; made at the first change."""

    def __init__(self, settings: Settings) -> None:
        tracking = settings.tracking
        history = MlflowPrompts(tracking.url, settings.storage.home) if tracking.enabled else None
        self._registry = ReleaseRegistry(StateHandle(get_state_actor(settings)), history)

    async def promote(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """See PromptDesk."""
        return await self._registry.promote(name, promotion)

    async def rollback(self, name: str, alias: str, version: int | None) -> PromptEntry:
        """See PromptDesk."""
        return await self._registry.rollback(name, alias, version)


_RemotePromptsActor = ray.remote(PromptsActor)


def get_prompts_actor(settings: Settings) -> Any:
    """Return the handle, creating the actor on the head node if it is not there."""
    return get_or_create(_RemotePromptsActor, PROMPTS_ACTOR, settings)
