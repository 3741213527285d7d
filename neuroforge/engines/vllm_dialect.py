"""How vLLM departs from OpenAI's wire: /tokenize counts, token ids score labels, /metrics says how busy it is."""

import asyncio
import re

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelRequest, LabelScore, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats, ModelEndpoint
from neuroforge.contracts.ports import GetText, PostJson
from neuroforge.engines.vllm_labels import (
    TokenIds,
    plan_steps,
    read_steps,
    read_whole,
    split_labels,
    step_body,
    sum_steps,
    whole_body,
)
from neuroforge.errors import ContextLengthExceeded, EngineError, RequestError

TOKENIZE_PATH = "/tokenize"
COMPLETIONS_PATH = "/v1/completions"
METRICS_PATH = "/metrics"
MEMORY_PATH = "/resident_bytes"
MAX_CONCURRENT_CALLS = 8

_SAMPLE = re.compile(r"^(vllm:\w+)(?:\{[^}]*\})? (\S+)$", re.M)


class VllmDialect:
    """EngineDialect of vLLM's own server."""

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText, post: PostJson) -> TokenCount:
        """As EngineClient.count_tokens."""
        tokens, context_length = await _tokenize_prompt(endpoint, prompt, post)
        return TokenCount(n_tokens=len(tokens), context_length=context_length)

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest, post: PostJson) -> LabelLogprobs:
        """Score labels, whose tokens are those of the label's text alone, without special tokens.

        Raises:
            ContextLengthExceeded: Prompt and longest label do not fit.
            RequestError: A label has no tokens.
            EngineError: The answer is not what vLLM sends.
        """
        prompt, context_length = await _tokenize_prompt(endpoint, request.prompt, post)
        tokens_by_label = await _tokenize_labels(endpoint, request.labels, post)
        _check_length(endpoint, len(prompt), max(map(len, tokens_by_label.values())), context_length)
        try:
            logprobs = await _score(list(dict.fromkeys(tokens_by_label.values())), prompt, endpoint.served_name, post)
        except (KeyError, IndexError, TypeError) as error:
            raise _unexpected(endpoint, COMPLETIONS_PATH) from error
        scores = (
            LabelScore(label=label, logprob=logprobs[tokens_by_label[label]], n_tokens=len(tokens_by_label[label]))
            for label in request.labels
        )
        return LabelLogprobs(scores=tuple(scores), n_prompt_tokens=len(prompt))

    async def stats(self, endpoint: ModelEndpoint, get_text: GetText) -> EngineStats:
        """As EngineClient.stats; the two times are means since the replica started."""
        text, memory = await get_text(METRICS_PATH), await get_text(MEMORY_PATH)
        return read_stats(text, memory, slots_total=endpoint.parallel // max(1, endpoint.n_replicas))


def read_stats(metrics: str, memory: str, slots_total: int) -> EngineStats:
    """Return what Prometheus text of one vLLM replica says.

    Args:
        memory: Resident bytes as a decimal number.
        slots_total: Sequences that decode together; vLLM does not tell.
    """
    total: dict[str, float] = {}
    for name, value in _SAMPLE.findall(metrics):
        total[name] = total.get(name, 0.0) + float(value)
    return EngineStats(
        slots_total=slots_total,
        slots_busy=int(total.get("vllm:num_requests_running", 0)),
        queued=int(total.get("vllm:num_requests_waiting", 0)),
        n_requests=int(total.get("vllm:request_success_total", 0)),
        n_prompt_tokens=int(total.get("vllm:prompt_tokens_total", 0)),
        n_completion_tokens=int(total.get("vllm:generation_tokens_total", 0)),
        ttft_s=_mean(total, "vllm:time_to_first_token_seconds"),
        s_per_token=_mean(total, "vllm:inter_token_latency_seconds"),
        resident_bytes=int(memory) if memory.isdecimal() else None,
    )


def _mean(total: dict[str, float], histogram: str) -> float | None:
    count = total.get(f"{histogram}_count", 0.0)
    return total.get(f"{histogram}_sum", 0.0) / count if count else None


async def _score(labels: list[TokenIds], prompt: TokenIds, name: str, post: PostJson) -> dict[TokenIds, float]:
    by_step, at_once = split_labels(labels, len(prompt))
    logprobs: dict[tuple[TokenIds, int], float] = {}
    for batch in plan_steps(by_step):
        logprobs |= read_steps(batch, await post(COMPLETIONS_PATH, step_body(batch, prompt, name)))
    found = {label: sum_steps(label, logprobs) for label in by_step}
    if at_once:
        found |= read_whole(at_once, len(prompt), await post(COMPLETIONS_PATH, whole_body(at_once, prompt, name)))
    return found


def _check_length(endpoint: ModelEndpoint, n_prompt: int, n_longest: int, context_length: int) -> None:
    """One token beyond the label is generated, because vLLM generates at least one."""
    if n_prompt == 0:
        raise RequestError(f"{endpoint.model_id}: a prompt without tokens has no next token", param="prompt")
    if n_prompt + n_longest >= context_length:
        raise ContextLengthExceeded(
            f"{endpoint.model_id}: prompt ({n_prompt} tokens), longest label ({n_longest}) and one more exceed the "
            f"model's context of {context_length}",
            n_prompt_tokens=n_prompt,
            context_length=context_length,
            model_id=endpoint.model_id,
        )


async def _tokenize_labels(endpoint: ModelEndpoint, labels: tuple[str, ...], post: PostJson) -> dict[str, TokenIds]:
    limit = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def tokenize(label: str) -> TokenIds:
        async with limit:
            body = {"model": endpoint.served_name, "prompt": label, "add_special_tokens": False}
            return _tokens(endpoint, await post(TOKENIZE_PATH, body))[0]

    distinct = tuple(dict.fromkeys(labels))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(tokenize(label)) for label in distinct]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    found = [task.result() for task in tasks]
    if not all(found):
        raise RequestError(f"{endpoint.model_id}: a label without tokens cannot be scored", param="labels")
    return dict(zip(distinct, found, strict=True))


async def _tokenize_prompt(endpoint: ModelEndpoint, prompt: PromptText, post: PostJson) -> tuple[TokenIds, int]:
    body: JsonObject = {"model": endpoint.served_name}
    if prompt.messages is None:
        body["prompt"] = prompt.text
    else:
        body["messages"] = list(prompt.messages)
        if prompt.tools:
            body["tools"] = list(prompt.tools)
    return _tokens(endpoint, await post(TOKENIZE_PATH, body))


def _tokens(endpoint: ModelEndpoint, answer: JsonObject) -> tuple[TokenIds, int]:
    tokens, context_length = answer.get("tokens"), answer.get("max_model_len")
    if not isinstance(tokens, list) or not isinstance(context_length, int):
        raise _unexpected(endpoint, TOKENIZE_PATH)
    return tuple(tokens), context_length


def _unexpected(endpoint: ModelEndpoint, path: str) -> EngineError:
    return EngineError(f"{endpoint.model_id}: {path} answers in an unknown form", model_id=endpoint.model_id)
