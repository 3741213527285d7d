"""The models as a run sees them: statuses from the fleet controller, answers from the gateway."""

from collections.abc import Sequence
from typing import Any

from cluster.handles import FleetHandle
from neuroforge.client import AsyncClient
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.models import ModelStatus
from neuroforge.contracts.routing import Decision


class FleetModels:
    """HostedModels of experiments, Fleet of optimisations. Statuses come over the handle, so that the key of runs needs
    no scope but inference.
    """

    def __init__(self, fleet: FleetHandle, client: AsyncClient) -> None:
        self._fleet = fleet
        self._client = client

    async def models(self) -> tuple[ModelStatus, ...]:
        """Every desired model and what became of it."""
        return await self._fleet.statuses()

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """As AsyncClient."""
        return await self._client.chat(messages, model, **options)

    async def completion(self, prompt: str, model: str, **options: Any) -> JsonObject:
        """As AsyncClient."""
        return await self._client.completion(prompt, model, **options)

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """As AsyncClient."""
        return await self._client.label_logprobs(prompt, labels, model)

    async def route(self, messages: Any, model: str = "auto", **options: Any) -> Decision:
        """As AsyncClient."""
        return await self._client.route(messages, model, **options)
