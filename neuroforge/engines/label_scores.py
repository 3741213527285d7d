"""log P(label | prompt) from an engine that tells the log-probability of a token it was made to choose.

Which tokens a label is: those by which the tokens of prompt + label continue the tokens of the prompt. Where the two
do not agree (the label's first characters merge with the prompt's last token), the tokens of the label alone: the model
is asked about the prompt that the caller gave, not about another cut of its text. A text that spells a special token,
such as <|im_end|>, stands for that token.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from neuroforge.contracts.chat import LabelLogprobs, LabelScore
from neuroforge.errors import ContextLengthExceeded, RequestError

LOWEST_LOGPROB = -104.0
"""llama.cpp's probabilities are 32-bit: below about exp(-103.3) they are 0. Such a token counts as this."""


class NextTokenModel(Protocol):
    """What scoring asks of an engine."""

    async def tokenize(self, text: str, *, is_continuation: bool) -> list[int]:
        """Token ids; a text that is no continuation gets the model's opening tokens."""
        ...

    async def next_token_logprobs(self, prefix: Sequence[int], token: int) -> Mapping[int, float]:
        """log P(token | prefix) of `token` and of as many likely tokens as come for free, before sampling filters."""
        ...


Turn = Callable[[int], AbstractAsyncContextManager[None]]
"""For as long as a prompt of so many tokens is read and asked about."""


async def score_labels(
    model: NextTokenModel, prompt: str, labels: Sequence[str], context_length: int, turn: Turn
) -> LabelLogprobs:
    """Return the summed log-probability of each label's tokens after the prompt.

    Args:
        turn: Entered once, when all tokens are known.

    Raises:
        RequestError: An empty prompt, or a label without tokens.
        ContextLengthExceeded: Prompt and longest label do not fit together.
    """
    prompt_ids = await model.tokenize(prompt, is_continuation=False)
    if not prompt_ids:
        raise RequestError("the prompt of label scores is empty", param="prompt")
    label_ids: list[list[int]] = []
    for index, label in enumerate(labels):
        ids = await _label_ids(model, prompt, prompt_ids, label)
        if not ids:
            raise RequestError(f"labels[{index}] has no tokens", param=f"labels[{index}]")
        label_ids.append(ids)
    n_longest = len(prompt_ids) + max(len(ids) for ids in label_ids)
    if n_longest > context_length:
        raise ContextLengthExceeded(
            f"prompt and label have {n_longest} tokens, the model's context holds {context_length}",
            n_prompt_tokens=n_longest,
            context_length=context_length,
        )
    async with turn(len(prompt_ids)):
        logprobs = await _walk(model, prompt_ids, label_ids)
    scores = [
        LabelScore(
            label=label,
            logprob=min(0.0, sum(logprobs[tuple(ids[:i]), token] for i, token in enumerate(ids))),
            n_tokens=len(ids),
        )
        for label, ids in zip(labels, label_ids, strict=True)
    ]
    return LabelLogprobs(scores=tuple(scores), n_prompt_tokens=len(prompt_ids))


async def _label_ids(model: NextTokenModel, prompt: str, prompt_ids: list[int], label: str) -> list[int]:
    joint_ids = await model.tokenize(prompt + label, is_continuation=False)
    n_prompt = len(prompt_ids)
    if joint_ids[:n_prompt] == prompt_ids and len(joint_ids) > n_prompt:
        return joint_ids[n_prompt:]
    return await model.tokenize(label, is_continuation=True)


async def _walk(
    model: NextTokenModel, prompt_ids: list[int], label_ids: list[list[int]]
) -> dict[tuple[tuple[int, ...], int], float]:
    """Ask once for each (label prefix, next token) that no earlier answer told; the prompt stays in the cache."""
    wanted: dict[tuple[int, ...], list[int]] = {}
    for ids in label_ids:
        for i, token in enumerate(ids):
            tokens = wanted.setdefault(tuple(ids[:i]), [])
            if token not in tokens:
                tokens.append(token)
    found: dict[tuple[tuple[int, ...], int], float] = {}
    for prefix, tokens in sorted(wanted.items(), key=lambda item: item[0]):
        known: dict[int, float] = {}
        for token in tokens:
            if token not in known:
                known.update(await model.next_token_logprobs([*prompt_ids, *prefix], token))
            found[prefix, token] = max(LOWEST_LOGPROB, known[token])
    return found
