"""One GGUF model behind llama.cpp's own server, which runs in this process on a loopback port of its own.

Bytes go through that server's HTTP and not through the package's callbacks: only a closed connection makes llama.cpp
stop working on a request (docs/decisions/010-llamacpp-in-process.md).
"""

import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
import xllamacpp

from neuroforge.assets.gguf import read_gguf_header
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRoute, LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import Capability, EngineStats
from neuroforge.engines.label_scores import score_labels
from neuroforge.engines.llamacpp_capabilities import SUPPORTED_CAPABILITIES, with_embeddings
from neuroforge.engines.llamacpp_chunks import AnswerCollector, ChunkTranslator
from neuroforge.engines.llamacpp_gate import SlotGate
from neuroforge.engines.llamacpp_http import LlamaCppHttp
from neuroforge.engines.llamacpp_memory import resident_bytes, return_free_memory
from neuroforge.engines.llamacpp_meter import EngineMeter
from neuroforge.engines.llamacpp_params import LlamaCppConfig, build_params
from neuroforge.engines.llamacpp_probe import TokenProbe
from neuroforge.engines.llamacpp_request import (
    GenerationPlan,
    ModelTraits,
    check_messages,
    check_parameters,
    plan_generation,
)
from neuroforge.errors import EngineError, EngineUnavailable, RequestError, UnsupportedParameter

logger = logging.getLogger(__name__)

__all__ = ["SUPPORTED_CAPABILITIES", "LlamaCppEngine"]
CLOSE_TIMEOUT_S = 10.0
VOCABULARY_KEY = "tokenizer.ggml.tokens"


class LlamaCppEngine:
    """Chat, completion, embedding, token counts, label scores and statistics of one model.

    Loading happens in the constructor and holds the interpreter lock until done (0.6 s for 100 MB); afterwards nothing
    here blocks the event loop. One loop only.
    """

    def __init__(self, config: LlamaCppConfig) -> None:
        """Load the model.

        Raises:
            ConfigError: An unknown or forbidden engine option.
            DataError: No file, or no GGUF file.
            EngineError: llama.cpp cannot load it.
        """
        self.config = config
        self._meter = EngineMeter()
        self._gate = SlotGate(config.model_id, config.parallel, config.max_queue, self._meter.retry_after_s)
        server_key = secrets.token_urlsafe(32)
        header = read_gguf_header(config.model_path)
        params = build_params(config, server_key, header)
        # llama.cpp fills each step with the prompts of its first slots first: beside others that go on asking, the last
        # would be read only when they pause. So no more are read at once than one step takes (docs/decisions/170).
        self._reading = SlotGate(config.model_id, params.n_batch, config.parallel, self._meter.retry_after_s)
        self._server: Any = _start_server(config, params)
        self._http = LlamaCppHttp(config.model_id, self._server.listening_address, server_key)
        self._tokens = TokenProbe(config.model_id, self._http)
        self._is_closing = False
        properties = self._http.get_properties()
        self.context_length: int = properties["default_generation_settings"]["n_ctx"]
        """Of one sequence, as llama.cpp made it: at most what the model was trained for."""
        self._traits = ModelTraits(
            parallel=config.parallel,
            has_tools=bool(properties.get("chat_template_caps", {}).get("supports_tools")),
            n_vocabulary=header.array_lengths.get(VOCABULARY_KEY, 0),
            context_length=self.context_length,
        )

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this very model can do."""
        own = SUPPORTED_CAPABILITIES if self._traits.has_tools else SUPPORTED_CAPABILITIES - {"tools"}
        return with_embeddings(own) if self.config.with_embeddings else own

    async def complete(self, route: EngineRoute, body: JsonObject) -> JsonObject:
        """Return OpenAI's whole answer; cancelling the call frees the slot.

        Raises:
            RequestError: A field that cannot be honoured, or a prompt that does not fit (ContextLengthExceeded).
            EngineError: The queue is full, or the engine failed.
        """
        if route == "embeddings":
            return await self._embed(body)
        plan = self._plan(route, body)
        translator, collector = ChunkTranslator(plan), AnswerCollector(plan.is_chat)
        async with aclosing(self._generate(plan, translator)) as events:
            async for event in events:
                if event.startswith(b"{"):
                    collector.add(orjson.loads(event))
        return collector.answer(translator.totals.usage)

    def stream(self, route: EngineRoute, body: JsonObject) -> AsyncGenerator[bytes, None]:
        """Return the data of each server-sent event, [DONE] last; errors as `complete`, those before a token first.

        Closing the iterator frees the slot.
        """
        plan = self._plan(route, body)
        return self._generate(plan, ChunkTranslator(plan))

    async def count_tokens(self, prompt: PromptText) -> TokenCount:
        """Count tokens after the chat template; needs no slot."""
        self._check_open()
        if prompt.text is not None:
            n_tokens = len(await self._tokens.tokenize(prompt.text, is_continuation=False))
        else:
            answer = await self._http.post("/v1/chat/completions/input_tokens", self._chat_body(prompt))
            n_tokens = int(answer["input_tokens"])
        return TokenCount(n_tokens=n_tokens, context_length=self.context_length)

    async def label_logprobs(self, request: LabelRequest) -> LabelLogprobs:
        """Return log P(label | prompt) of each label; see `label_scores`."""
        self._check_open()
        text = request.prompt.text
        if text is None:
            answer = await self._http.post("/apply-template", self._chat_body(request.prompt))
            text = str(answer["prompt"])
        async with self._gate.hold():
            return await score_labels(self._tokens, text, request.labels, self.context_length, self._reading.hold)

    async def stats(self) -> EngineStats:
        """Return counts, averages and memory; slots as llama.cpp itself sees them."""
        self._check_open()
        slots_busy = await self._http.count_busy_slots()
        return self._meter.stats(self.config.parallel, slots_busy, self._gate.n_waiting, resident_bytes)

    async def check_health(self) -> None:
        """Return when the model answers.

        Raises:
            EngineUnavailable: It does not, or is closing.
        """
        self._check_open()
        await self._http.get("/health")

    async def close(self) -> None:
        """Cut what still runs, stop all threads and give the memory back; safe to call twice."""
        self._is_closing = True
        if self._server is None:
            return
        self._http.cut_all()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        while await self._http.count_busy_slots() and time.monotonic() < deadline:
            pass  # llama.cpp answers between two steps, so this waits for one each time
        await self._http.close()
        self._server = None  # the last reference: its destructor joins the threads and frees the model
        return_free_memory()

    def _plan(self, route: EngineRoute, body: JsonObject) -> GenerationPlan:
        self._check_open()
        return plan_generation(route, body, self._traits)

    async def _generate(self, plan: GenerationPlan, translator: ChunkTranslator) -> AsyncGenerator[bytes, None]:
        async with self._gate.hold(plan.n_slots):
            started_at_s = time.monotonic()
            has_first = False
            try:
                async with aclosing(self._http.stream(plan.path, plan.body)) as events:
                    async for event in events:
                        for data in translator.feed(event):
                            if not has_first:
                                has_first = True
                                self._meter.ttft_s.add(time.monotonic() - started_at_s)
                            yield data
            finally:
                self._meter.note(translator.totals, time.monotonic() - started_at_s)

    async def _embed(self, body: JsonObject) -> JsonObject:
        self._check_open()
        given = check_parameters("embeddings", body)
        if not self.config.with_embeddings:
            raise UnsupportedParameter(
                f"{self.config.model_id} gives no embeddings: it was loaded without engine_options.embedding",
                param="model",
            )
        if not given.get("input"):
            raise RequestError("'input' is missing or empty", param="input")
        started_at_s = time.monotonic()
        async with self._gate.hold():
            answer: JsonObject = await self._http.post("/v1/embeddings", given)
        self._meter.note_prompt(int(answer["usage"]["prompt_tokens"]), time.monotonic() - started_at_s)
        return answer

    def _chat_body(self, prompt: PromptText) -> JsonObject:
        if prompt.tools and not self._traits.has_tools:
            raise UnsupportedParameter("the model's chat template has no place for tools", param="tools")
        body: JsonObject = prompt.model_dump(include={"messages", "tools"}, exclude_none=True)
        check_messages(list(body["messages"]))
        return body

    def _check_open(self) -> None:
        if self._is_closing:
            raise EngineUnavailable(f"{self.config.model_id} is being unloaded", model_id=self.config.model_id)


def _start_server(config: LlamaCppConfig, params: Any) -> Any:
    started_at_s = time.monotonic()
    try:
        server = xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        what = f"{config.model_id}: llama.cpp cannot load {config.model_path.name}"
        raise EngineError(what, model_id=config.model_id) from error
    extra = {
        "model_id": config.model_id,
        "latency_s": time.monotonic() - started_at_s,
        "resident_bytes": resident_bytes(),
    }
    logger.info("model loaded", extra=extra)
    return server
