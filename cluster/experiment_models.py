"""HostedModels: what the fleet controller knows, and the gateway for a first answer that loads a model."""

from typing import Any

from cluster.handles import FleetHandle
from neuroforge.client import AsyncClient
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import ModelStatus


class FleetModels:
    """Statuses over the handle, so that the experiments' key needs no scope but inference."""

    def __init__(self, fleet: FleetHandle, client: AsyncClient) -> None:
        self._fleet = fleet
        self._client = client

    async def models(self) -> tuple[ModelStatus, ...]:
        """See HostedModels."""
        return await self._fleet.statuses()

    async def chat(self, messages: str, model: str, **options: Any) -> JsonObject:
        """See HostedModels."""
        return await self._client.chat(messages, model, **options)
