"""The asynchronous client over aiohttp: the same calls, for programs that have an event loop."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from neuroforge.client import calls
from neuroforge.client.aio_transport import AsyncTransport
from neuroforge.client.calls import PROBE_TIMEOUT_S, READY_POLL_S, Call, Messages, Vectors
from neuroforge.client.learning import AsyncLearning
from neuroforge.client.live_tests import AsyncLiveTesting
from neuroforge.client.rules import AsyncRuling
from neuroforge.client.tasks import AsyncTasking
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, TokenCount
from neuroforge.contracts.fleet import ApplyRequest, FleetDiff
from neuroforge.contracts.gateway import GatewayStatus
from neuroforge.contracts.keys import AuditRecord, AuditVerdict, CreatedKey, KeySpec, KeyView
from neuroforge.contracts.models import ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.routing import Decision
from neuroforge.errors import EngineTimeout, NeuroForgeError

if TYPE_CHECKING:
    from neuroforge.client.experiments_aio import AsyncExperiments
    from neuroforge.client.prompts import AsyncPrompts

T = TypeVar("T")


class AsyncClient(AsyncLearning, AsyncRuling, AsyncTasking, AsyncLiveTesting):
    """`Client` with `await`, bound to the event loop of its first call. Errors are those of `Client`."""

    def __init__(self, base_url: str, api_key: str | None = None, timeout_s: float = 600.0) -> None:
        self.base_url = base_url
        self._transport = AsyncTransport(base_url, api_key, timeout_s)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    @cached_property
    def experiments(self) -> "AsyncExperiments":
        """Models x prompts on data: started, watched, read."""
        from neuroforge.client.experiments_aio import AsyncExperiments  # most commands need none of it

        return AsyncExperiments(self._send)

    @cached_property
    def prompts(self) -> "AsyncPrompts":
        """Prompts: optimised on the server, and served by name: promoted, compared, taken back."""
        from neuroforge.client.prompts import AsyncPrompts  # most commands need none of it

        return AsyncPrompts(self._send)

    async def chat(self, messages: Messages, model: str = "auto", **options: Any) -> JsonObject:
        """Answer a conversation; OpenAI's whole body."""
        return await self._send(calls.chat(messages, model, options))

    def stream(self, messages: Messages, model: str = "auto", **options: Any) -> AsyncGenerator[JsonObject, None]:
        """Answer a conversation chunk by chunk; the last has usage. Closing the iterator frees the engine's slot."""
        options = {"stream_options": {"include_usage": True}, **options}
        return self._stream(calls.chat(messages, model, options))

    async def completion(self, prompt: str, model: str = "auto", **options: Any) -> JsonObject:
        """Continue a raw prompt; OpenAI's whole body."""
        return await self._send(calls.completion(prompt, model, options))

    def stream_completion(self, prompt: str, model: str = "auto", **options: Any) -> AsyncGenerator[JsonObject, None]:
        """Continue a raw prompt chunk by chunk."""
        return self._stream(calls.completion(prompt, model, options))

    async def embeddings(self, texts: str | Sequence[str], model: str = "auto", **options: Any) -> Vectors:
        """One vector a text, in order."""
        return await self._send(calls.embeddings(texts, model, options))

    async def responses(self, request: str | Sequence[JsonObject], model: str = "auto", **options: Any) -> JsonObject:
        """OpenAI's Responses API; the whole body."""
        return await self._send(calls.responses(request, model, options))

    def stream_responses(
        self, request: str | Sequence[JsonObject], model: str = "auto", **options: Any
    ) -> AsyncGenerator[JsonObject, None]:
        """OpenAI's Responses API, event by event."""
        return self._stream(calls.responses(request, model, options))

    async def count_tokens(self, prompt: Messages, model: str) -> TokenCount:
        """Tokens of a raw prompt (text) or a conversation (messages) as the model sees it."""
        return await self._send(calls.count_tokens(prompt, model))

    async def label_logprobs(self, prompt: Messages, labels: Sequence[str], model: str) -> LabelLogprobs:
        """log P(label | prompt) of each label. Raises UnsupportedParameter where the engine cannot."""
        return await self._send(calls.label_logprobs(prompt, labels, model))

    async def route(self, messages: Messages, model: str = "auto", **options: Any) -> Decision:
        """Decide which model would answer, and why, without asking it; options as in `chat`."""
        return await self._send(calls.route(messages, model, options))

    async def model_ids(self) -> tuple[str, ...]:
        """Names that may stand in `model`."""
        return await self._send(calls.model_ids())

    async def models(self) -> tuple[ModelStatus, ...]:
        """Every desired model and what became of it."""
        return await self._send(calls.models())

    async def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        """Start loading and return at once; `spec` adds a model that the fleet did not know."""
        return await self._send(calls.load(model_id, spec))

    async def unload(self, model_id: str) -> ModelStatus:
        """Start unloading and return at once."""
        return await self._send(calls.unload(model_id))

    async def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        """Change how many replicas may run."""
        return await self._send(calls.scale(model_id, replicas))

    async def apply(self, models: Sequence[ModelSpec], dry_run: bool = False) -> FleetDiff:
        """Make the fleet what the list says; with `dry_run` only tell the difference."""
        return await self._send(calls.apply(ApplyRequest(models=tuple(models), dry_run=dry_run)))

    async def create_key(self, spec: KeySpec) -> CreatedKey:
        """The secret is in this answer and nowhere else."""
        return await self._send(calls.create_key(spec))

    async def list_keys(self) -> tuple[KeyView, ...]:
        """All, revoked ones too, oldest first."""
        return await self._send(calls.list_keys())

    async def revoke_key(self, key_id: str) -> KeyView:
        """Raises NotFound."""
        return await self._send(calls.revoke_key(key_id))

    async def tail_audit(self, limit: int = 100, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """The last `limit` records after `after_seq`, oldest first."""
        return await self._send(calls.tail_audit(limit, after_seq))

    async def verify_audit(self) -> AuditVerdict:
        """Walk the whole hash chain."""
        return await self._send(calls.verify_audit())

    async def status(self) -> GatewayStatus:
        """What a gateway replica says of itself and of the fleet."""
        return await self._send(calls.status())

    async def is_ready(self) -> bool:
        """Whether the preloaded models answer now."""
        try:
            await self._send(calls.ready(), timeout_s=PROBE_TIMEOUT_S)
        except NeuroForgeError as error:
            if not calls.is_worth_waiting(error):
                raise
            return False
        return True

    async def wait_ready(self, timeout_s: float = 300.0) -> None:
        """Return when the preloaded models answer.

        Raises:
            EngineTimeout: They do not within `timeout_s`.
            AuthenticationError: The key is refused; waiting would not help.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                await self._send(calls.ready(), timeout_s=PROBE_TIMEOUT_S)
            except NeuroForgeError as error:
                if not calls.is_worth_waiting(error):
                    raise
                if time.monotonic() + READY_POLL_S > deadline_s:
                    raise EngineTimeout(f"{self.base_url} is not ready after {timeout_s:g} s: {error}") from error
                await asyncio.sleep(READY_POLL_S)
            else:
                return

    async def _send(self, call: Call[T], timeout_s: float | None = None) -> T:
        return await self._transport.send(call, timeout_s)

    def _stream(self, call: Call[JsonObject]) -> AsyncGenerator[JsonObject, None]:
        return self._transport.stream(calls.streamed(call))
