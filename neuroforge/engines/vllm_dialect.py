"""How vLLM departs from OpenAI's wire: /tokenize counts, token ids score labels, /metrics says how busy it is."""

import re

from neuroforge.contracts.chat import LabelLogprobs, LabelRequest, LabelScore, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats, ModelEndpoint
from neuroforge.contracts.ports_engines import GetText, PostJson
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
from neuroforge.engines.vllm_tokens import TokenizedPrompt, VllmTokenizer, unexpected_answer
from neuroforge.errors import ContextLengthExceeded, RequestError

COMPLETIONS_PATH = "/v1/completions"
METRICS_PATH = "/metrics"
MEMORY_PATH = "/resident_bytes"
"""Added to vLLM's routes by cluster.vllm_guard."""

_SAMPLE = re.compile(r"^(vllm:\w+)(?:\{[^}]*\})? (\S+)$", re.M)


class VllmDialect:
    """EngineDialect of vLLM's own server."""

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText, post: PostJson) -> TokenCount:
        """As EngineClient.count_tokens."""
        counted = await VllmTokenizer(endpoint, post).prompt_ids(prompt)
        return TokenCount(n_tokens=len(counted.ids), context_length=counted.context_length)

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest, post: PostJson) -> LabelLogprobs:
        """As EngineClient.label_logprobs; which tokens a label is: see `VllmTokenizer.label_ids`.

        Raises:
            ContextLengthExceeded: Prompt and longest label do not fit.
            RequestError: The prompt or a label has no tokens.
            EngineError: The answer is not what vLLM sends.
        """
        tokenizer = VllmTokenizer(endpoint, post)
        prompt = await tokenizer.prompt_ids(request.prompt)
        if not prompt.ids:
            raise RequestError("a prompt without tokens has no next token", param="prompt")
        ids_by_label = await tokenizer.label_ids(request.prompt, prompt.ids, request.labels)
        _check_length(endpoint, prompt, max(map(len, ids_by_label.values())))
        try:
            logprobs = await _score(set(ids_by_label.values()), prompt.ids, endpoint.served_name, post)
        except (KeyError, IndexError, TypeError) as error:
            raise unexpected_answer(endpoint, COMPLETIONS_PATH) from error
        ids = [ids_by_label[label] for label in request.labels]
        scores = (
            LabelScore(label=label, logprob=logprobs[one], n_tokens=len(one))
            for label, one in zip(request.labels, ids, strict=True)
        )
        return LabelLogprobs(scores=tuple(scores), n_prompt_tokens=len(prompt.ids))

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


async def _score(labels: set[TokenIds], prompt: TokenIds, name: str, post: PostJson) -> dict[TokenIds, float]:
    by_step, at_once = split_labels(sorted(labels), len(prompt))
    logprobs: dict[tuple[TokenIds, int], float] = {}
    for batch in plan_steps(by_step):
        logprobs |= read_steps(batch, await post(COMPLETIONS_PATH, step_body(batch, prompt, name)))
    found = {label: sum_steps(label, logprobs) for label in by_step}
    if at_once:
        found |= read_whole(at_once, len(prompt), await post(COMPLETIONS_PATH, whole_body(at_once, prompt, name)))
    return {label: found[label] for label in labels}


def _check_length(endpoint: ModelEndpoint, prompt: TokenizedPrompt, n_longest: int) -> None:
    """One token beyond the label must fit too, because vLLM generates at least one."""
    n_prompt, limit = len(prompt.ids), prompt.context_length
    if n_prompt + n_longest >= limit:
        raise ContextLengthExceeded(
            f"{endpoint.model_id}: prompt ({n_prompt} tokens), longest label ({n_longest}) and one token more exceed "
            f"the model's context of {limit}",
            n_prompt_tokens=n_prompt + n_longest,
            context_length=limit,
            model_id=endpoint.model_id,
        )
