"""One cell -> one call through the gateway. Knows no Ray: any process that reaches the gateway can use it."""

import time
from dataclasses import dataclass, field

from neuroforge.client import AsyncClient
from neuroforge.contracts.experiments import CellRequest
from neuroforge.contracts.ports import Clock
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.experiments.hear import Heard, hear_stream, heard_labels

CALL_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class GatewayAddress:
    """Where calls go, and as whom."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = CALL_TIMEOUT_S
    """Without a byte from the gateway."""


class GatewayCaller:
    """CellCaller over HTTP, bound to the event loop of its first call. Chats are streamed, to time the first token."""

    def __init__(self, gateway: GatewayAddress, clock: Clock = time.perf_counter) -> None:
        self._client = AsyncClient(gateway.base_url, gateway.api_key, gateway.timeout_s)
        self._clock = clock

    async def call(self, request: CellRequest) -> Heard:
        """See CellCaller."""
        model_id = request.cell.model_id
        if request.labels:
            return heard_labels(await self._client.label_logprobs(request.messages, request.labels, model_id))
        tools = {"tools": list(request.tools)} if request.tools else {}
        chunks = self._client.stream(request.messages, model_id, neuroforge=AS_NAMED, **tools, **request.parameters)
        return await hear_stream(chunks, self._clock)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
