"""The blocking client: the standard library's HTTP, so that it starts fast and needs nothing else."""

import time
from collections.abc import Generator, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from neuroforge.client import calls
from neuroforge.client.calls import PROBE_TIMEOUT_S, READY_POLL_S, Call, Messages, Vectors
from neuroforge.client.learning import Learning
from neuroforge.client.live_tests import LiveTesting
from neuroforge.client.rules import Ruling
from neuroforge.client.tasks import Tasking
from neuroforge.client.transport import Transport
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, TokenCount
from neuroforge.contracts.fleet import ApplyRequest, FleetDiff
from neuroforge.contracts.gateway import GatewayStatus
from neuroforge.contracts.keys import AuditRecord, AuditVerdict, CreatedKey, KeySpec, KeyView
from neuroforge.contracts.models import ModelSpec, ModelStatus, ReplicaRange
from neuroforge.contracts.routing import Decision
from neuroforge.errors import EngineTimeout, NeuroForgeError

if TYPE_CHECKING:
    from neuroforge.client.experiments import Experiments
    from neuroforge.client.prompts import Prompts

T = TypeVar("T")


class Client(Learning, Ruling, Tasking, LiveTesting):
    """Everything that the gateway offers, as methods. Use it as a context manager, from any number of threads.

    Options of chat, completion, embeddings and responses are OpenAI's fields (temperature, max_tokens, tools, ...).
    Every method raises the NeuroForgeError that the server named, EngineUnavailable when nothing answers and
    EngineTimeout when the server says nothing for `timeout_s`.
    """

    def __init__(self, base_url: str, api_key: str | None = None, timeout_s: float = 600.0) -> None:
        self.base_url = base_url
        self._transport = Transport(base_url, api_key, timeout_s)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    @cached_property
    def experiments(self) -> "Experiments":
        """Models x prompts on data: started, watched, read."""
        from neuroforge.client.experiments import Experiments  # most commands need none of it

        return Experiments(self._send)

    @cached_property
    def prompts(self) -> "Prompts":
        """Prompts: optimised on the server, and served by name: promoted, compared, taken back."""
        from neuroforge.client.prompts import Prompts  # most commands need none of it

        return Prompts(self._send)

    def chat(self, messages: Messages, model: str = "auto", **options: Any) -> JsonObject:
        """Answer a conversation; OpenAI's whole body."""
        return self._send(calls.chat(messages, model, options))

    def stream(self, messages: Messages, model: str = "auto", **options: Any) -> Generator[JsonObject, None, None]:
        """Answer a conversation chunk by chunk; the last has usage. Closing the iterator frees the engine's slot."""
        options = {"stream_options": {"include_usage": True}, **options}
        return self._stream(calls.chat(messages, model, options))

    def completion(self, prompt: str, model: str = "auto", **options: Any) -> JsonObject:
        """Continue a raw prompt; OpenAI's whole body."""
        return self._send(calls.completion(prompt, model, options))

    def stream_completion(self, prompt: str, model: str = "auto", **options: Any) -> Generator[JsonObject, None, None]:
        """Continue a raw prompt chunk by chunk."""
        return self._stream(calls.completion(prompt, model, options))

    def embeddings(self, texts: str | Sequence[str], model: str = "auto", **options: Any) -> Vectors:
        """One vector a text, in order."""
        return self._send(calls.embeddings(texts, model, options))

    def responses(self, request: str | Sequence[JsonObject], model: str = "auto", **options: Any) -> JsonObject:
        """OpenAI's Responses API; the whole body."""
        return self._send(calls.responses(request, model, options))

    def stream_responses(
        self, request: str | Sequence[JsonObject], model: str = "auto", **options: Any
    ) -> Generator[JsonObject, None, None]:
        """OpenAI's Responses API, event by event."""
        return self._stream(calls.responses(request, model, options))

    def count_tokens(self, prompt: Messages, model: str) -> TokenCount:
        """Tokens of a raw prompt (text) or a conversation (messages) as the model sees it."""
        return self._send(calls.count_tokens(prompt, model))

    def label_logprobs(self, prompt: Messages, labels: Sequence[str], model: str) -> LabelLogprobs:
        """log P(label | prompt) of each label. Raises UnsupportedParameter where the engine cannot."""
        return self._send(calls.label_logprobs(prompt, labels, model))

    def route(self, messages: Messages, model: str = "auto", **options: Any) -> Decision:
        """Decide which model would answer, and why, without asking it; options as in `chat`."""
        return self._send(calls.route(messages, model, options))

    def model_ids(self) -> tuple[str, ...]:
        """Names that may stand in `model`."""
        return self._send(calls.model_ids())

    def models(self) -> tuple[ModelStatus, ...]:
        """Every desired model and what became of it."""
        return self._send(calls.models())

    def load(self, model_id: str, spec: ModelSpec | None = None) -> ModelStatus:
        """Start loading and return at once; `spec` adds a model that the fleet did not know."""
        return self._send(calls.load(model_id, spec))

    def unload(self, model_id: str) -> ModelStatus:
        """Start unloading and return at once."""
        return self._send(calls.unload(model_id))

    def scale(self, model_id: str, replicas: ReplicaRange) -> ModelStatus:
        """Change how many replicas may run."""
        return self._send(calls.scale(model_id, replicas))

    def apply(self, models: Sequence[ModelSpec], dry_run: bool = False) -> FleetDiff:
        """Make the fleet what the list says; with `dry_run` only tell the difference."""
        return self._send(calls.apply(ApplyRequest(models=tuple(models), dry_run=dry_run)))

    def create_key(self, spec: KeySpec) -> CreatedKey:
        """The secret is in this answer and nowhere else."""
        return self._send(calls.create_key(spec))

    def list_keys(self) -> tuple[KeyView, ...]:
        """All, revoked ones too, oldest first."""
        return self._send(calls.list_keys())

    def revoke_key(self, key_id: str) -> KeyView:
        """Raises NotFound."""
        return self._send(calls.revoke_key(key_id))

    def tail_audit(self, limit: int = 100, after_seq: int = 0) -> tuple[AuditRecord, ...]:
        """The last `limit` records after `after_seq`, oldest first."""
        return self._send(calls.tail_audit(limit, after_seq))

    def verify_audit(self) -> AuditVerdict:
        """Walk the whole hash chain."""
        return self._send(calls.verify_audit())

    def status(self) -> GatewayStatus:
        """What a gateway replica says of itself and of the fleet."""
        return self._send(calls.status())

    def is_ready(self) -> bool:
        """Whether the preloaded models answer now."""
        try:
            self._send(calls.ready(), timeout_s=PROBE_TIMEOUT_S)
        except NeuroForgeError as error:
            if not calls.is_worth_waiting(error):
                raise
            return False
        return True

    def wait_ready(self, timeout_s: float = 300.0) -> None:
        """Return when the preloaded models answer.

        Raises:
            EngineTimeout: They do not within `timeout_s`.
            AuthenticationError: The key is refused; waiting would not help.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                self._send(calls.ready(), timeout_s=PROBE_TIMEOUT_S)
            except NeuroForgeError as error:
                if not calls.is_worth_waiting(error):
                    raise
                if time.monotonic() + READY_POLL_S > deadline_s:
                    raise EngineTimeout(f"{self.base_url} is not ready after {timeout_s:g} s: {error}") from error
                time.sleep(READY_POLL_S)
            else:
                return

    def _send(self, call: Call[T], timeout_s: float | None = None) -> T:
        return self._transport.send(call, timeout_s)

    def _stream(self, call: Call[JsonObject]) -> Generator[JsonObject, None, None]:
        return self._transport.stream(calls.streamed(call))
