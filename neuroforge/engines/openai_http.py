"""Any OpenAI-compatible server elsewhere (Ollama, llama.cpp, a vLLM server): same client, another address.

Connection timeout and retries are `HttpEngineClient`'s work, by `connect_timeout_s` and `max_retries` of the endpoint;
whether the server answers at all is `HttpEngineClient.check`.
"""

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import Capability, EngineStats, ModelEndpoint
from neuroforge.contracts.ports_engines import GetText, PostJson
from neuroforge.errors import EngineError, EngineUnavailable, UnsupportedParameter

OPENAI_HTTP_CAPABILITIES: frozenset[Capability] = frozenset(
    {
        "chat",
        "completion",
        "embedding",
        "count_tokens",
        "tools",
        "json_object",
        "json_schema",
        "logprobs",
        "top_logprobs",
        "seed",
        "stop",
        "n",
        "logit_bias",
        "penalties",
        "vision",
    }
)
"""What OpenAI's wire has and most servers honour; an operator narrows it by `capabilities` of the model's entry."""

TOKENIZE_PATH = "/tokenize"
TEMPLATE_PATH = "/apply-template"


class UpstreamDialect:
    """EngineDialect of a foreign server: OpenAI's wire has no token count, so the two servers' own routes are tried."""

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText, post: PostJson) -> TokenCount:
        """Through `/tokenize` as vLLM (`count`) or llama.cpp (`tokens`) offer it.

        Raises:
            UnsupportedParameter: The server has no such route, as Ollama or OpenAI itself.
        """
        try:
            if prompt.messages is None:
                return await self._count_text(endpoint, prompt.text or "", post)
            return await self._count_messages(endpoint, prompt, post)
        except EngineUnavailable as error:
            if error.context.get("status") != 404:
                raise
            raise _unsupported(endpoint, "count tokens") from error

    async def label_logprobs(
        self,
        endpoint: ModelEndpoint,
        request: LabelRequest,  # noqa: ARG002 - the Protocol's signature
        post: PostJson,  # noqa: ARG002
    ) -> LabelLogprobs:
        """Refused: OpenAI's wire gives log-probabilities of what was sampled, not of labels outside the top n."""
        raise _unsupported(endpoint, "score labels")

    async def stats(self, endpoint: ModelEndpoint, get_text: GetText) -> EngineStats:  # noqa: ARG002
        """Refused: slots and queue of a foreign server are not to be had."""
        raise _unsupported(endpoint, "report statistics")

    async def _count_text(self, endpoint: ModelEndpoint, text: str, post: PostJson) -> TokenCount:
        """One body for both: each server ignores the other's field."""
        body = {"model": endpoint.served_name, "prompt": text, "content": text, "add_special": True}
        return _token_count(endpoint, await post(TOKENIZE_PATH, body))

    async def _count_messages(self, endpoint: ModelEndpoint, prompt: PromptText, post: PostJson) -> TokenCount:
        tools = {"tools": list(prompt.tools)} if prompt.tools else {}
        body: JsonObject = {"model": endpoint.served_name, "messages": list(prompt.messages or ()), **tools}
        answer = await post(TOKENIZE_PATH, body)
        if "count" in answer:
            return _token_count(endpoint, answer)
        rendered = (await post(TEMPLATE_PATH, body)).get("prompt")
        if not isinstance(rendered, str):
            raise _unsupported(endpoint, "count tokens of messages")
        return await self._count_text(endpoint, rendered, post)


def _token_count(endpoint: ModelEndpoint, answer: JsonObject) -> TokenCount:
    n_tokens = answer.get("count")
    if n_tokens is None and isinstance(answer.get("tokens"), list):
        n_tokens = len(answer["tokens"])
    if not isinstance(n_tokens, int):
        raise EngineError(f"{endpoint.model_id}: its /tokenize answers in an unknown form", model_id=endpoint.model_id)
    return TokenCount(n_tokens=n_tokens, context_length=endpoint.context_length)


def _unsupported(endpoint: ModelEndpoint, what: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"{endpoint.model_id}: its server cannot {what}", param="model", model_id=endpoint.model_id
    )
