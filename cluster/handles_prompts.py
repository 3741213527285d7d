"""PromptDesk over the handles of the state actor, which keeps releases, and of the registry, which changes them."""

import asyncio
from typing import Any

from cluster.detached import ONCE
from cluster.handles import StateHandle, call
from cluster.prompts import get_prompts_actor
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptEntry
from neuroforge.settings import Settings

WHO = "the prompt registry"
SLOW_TIMEOUT_S = 180.0
"""The first change starts the process and imports mlflow; an MLflow server that is down costs its own timeouts."""


class PromptsHandle:
    """PromptDesk. The registry's process starts when something is to change: most gateways never need it."""

    def __init__(self, state: StateHandle, settings: Settings) -> None:
        self._state = state
        self._settings = settings

    async def list_prompts(self) -> tuple[PromptEntry, ...]:
        """See PromptDesk."""
        return await self._state.list_prompts()

    async def promote(self, name: str, promotion: PromptPromotion) -> PromptEntry:
        """See PromptDesk."""
        actor = await self._registry()
        return await call(actor.promote.remote(name, promotion), WHO, SLOW_TIMEOUT_S)

    async def rollback(self, name: str, alias: str, version: int | None = None) -> PromptEntry:
        """See PromptDesk."""
        actor = await self._registry()
        return await call(actor.rollback.options(**ONCE).remote(name, alias, version), WHO, SLOW_TIMEOUT_S)

    async def _registry(self) -> Any:
        return await asyncio.to_thread(get_prompts_actor, self._settings)
