"""Labels as token ids -> few completion requests -> log P(label | prompt). Pure.

Two ways, both exact and before any sampling filter:

- step by step: vLLM tells the log-probabilities of named token ids for the token after a prompt (`logprob_token_ids`),
  so each distinct beginning of a label is one sequence. It reads a long prompt once, as the beginnings share the
  prefix cache, and it answers all labels of one token by a single sequence.
- at once: vLLM tells the log-probability of each token of a prompt (`prompt_logprobs`), so prompt and label together
  are one sequence. It reads the prompt anew for each label and holds the whole vocabulary for each of its tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuroforge.contracts.base import JsonObject

TokenIds = tuple[int, ...]

MAX_TOKEN_IDS = 128
"""vLLM's limit on `logprob_token_ids`."""
MAX_PROMPTS = 1024
"""vLLM's limit on prompts of one completion request (VLLM_MAX_COMPLETION_PROMPTS)."""
MAX_PROMPT_TOKENS_AT_ONCE = 256
"""Longer prompts go step by step: time, and 2 x 4 bytes x vocabulary a token of memory."""


@dataclass(frozen=True)
class StepBatch:
    """One completion request: after each of `prefixes` (all follow the prompt), how likely is each of `token_ids`?"""

    prefixes: tuple[TokenIds, ...]
    token_ids: TokenIds


def split_labels(labels: Sequence[TokenIds], n_prompt_tokens: int) -> tuple[list[TokenIds], list[TokenIds]]:
    """Return the labels to be scored step by step, and those to be scored at once."""
    if n_prompt_tokens > MAX_PROMPT_TOKENS_AT_ONCE:
        return list(labels), []
    return [label for label in labels if len(label) == 1], [label for label in labels if len(label) > 1]


def plan_steps(labels: Sequence[TokenIds]) -> list[StepBatch]:
    """Return requests that together cover every token of every label, each within vLLM's limits.

    Args:
        labels: Token ids of each label, none empty.
    """
    wanted = sorted({(label[:index], token) for label in labels for index, token in enumerate(label)})
    batches: list[StepBatch] = []
    prefixes: dict[TokenIds, None] = {}
    token_ids: dict[int, None] = {}
    for prefix, token in wanted:
        is_full = len(token_ids.keys() | {token}) > MAX_TOKEN_IDS or len(prefixes.keys() | {prefix}) > MAX_PROMPTS
        if is_full:
            batches.append(StepBatch(tuple(prefixes), tuple(token_ids)))
            prefixes, token_ids = {}, {}
        prefixes[prefix] = None
        token_ids[token] = None
    return [*batches, StepBatch(tuple(prefixes), tuple(token_ids))] if wanted else []


def step_body(batch: StepBatch, prompt: TokenIds, served_name: str) -> JsonObject:
    """Return the body of POST /v1/completions."""
    return _body([[*prompt, *prefix] for prefix in batch.prefixes], served_name) | {
        "logprobs": 0,
        "logprob_token_ids": list(batch.token_ids),
        "return_tokens_as_token_ids": True,
    }


def read_steps(batch: StepBatch, answer: JsonObject) -> dict[tuple[TokenIds, int], float]:
    """Return the log-probability of each token after each prefix, in nats.

    Raises:
        KeyError, IndexError, TypeError: The answer is not what vLLM sends.
    """
    found: dict[tuple[TokenIds, int], float] = {}
    for choice in answer["choices"]:
        prefix = batch.prefixes[choice["index"]]
        logprob_by_token = choice["logprobs"]["top_logprobs"][0]
        for token in batch.token_ids:
            found[prefix, token] = float(logprob_by_token[f"token_id:{token}"])
    return found


def sum_steps(label: TokenIds, logprobs: Mapping[tuple[TokenIds, int], float]) -> float:
    """Return log P(label), the sum over its tokens; at most 0."""
    return min(0.0, sum(logprobs[label[:index], token] for index, token in enumerate(label)))


def whole_body(labels: Sequence[TokenIds], prompt: TokenIds, served_name: str) -> JsonObject:
    """Return the body of POST /v1/completions that scores at most `MAX_PROMPTS` labels at once."""
    return _body([[*prompt, *label] for label in labels], served_name) | {"prompt_logprobs": 0}


def read_whole(labels: Sequence[TokenIds], n_prompt_tokens: int, answer: JsonObject) -> dict[TokenIds, float]:
    """Return log P(label | prompt) of each label; at most 0.

    Raises:
        KeyError, IndexError, TypeError: The answer is not what vLLM sends.
    """
    found: dict[TokenIds, float] = {}
    for choice in answer["choices"]:
        label, logprob_by_position = labels[choice["index"]], choice["prompt_logprobs"]
        parts = (logprob_by_position[n_prompt_tokens + index][str(token)] for index, token in enumerate(label))
        found[label] = min(0.0, sum(float(part["logprob"]) for part in parts))
    return found


def _body(prompts: list[list[int]], served_name: str) -> JsonObject:
    return {"model": served_name, "prompt": prompts, "max_tokens": 1, "temperature": 0}
