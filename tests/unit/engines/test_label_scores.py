import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext

import pytest

from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.engines.label_scores import LOWEST_LOGPROB, score_labels
from neuroforge.errors import ContextLengthExceeded, RequestError


class LetterModel:
    """A token a character; `merges` are pairs that become one token. P(token | prefix) is 2 ** -len(prefix)."""

    def __init__(self, merges: Sequence[str] = (), free: Sequence[str] = (), lowest: Sequence[str] = ()) -> None:
        self.merges, self.free, self.lowest = merges, free, lowest
        self.asked: list[tuple[str, str]] = []

    async def tokenize(self, text: str, *, is_continuation: bool) -> list[int]:
        ids: list[int] = [] if is_continuation else [0]
        while text:
            size = 2 if text[:2] in self.merges else 1
            ids.append(int.from_bytes(text[:size].encode()))
            text = text[size:]
        return ids

    async def next_token_logprobs(self, prefix: Sequence[int], token: int) -> Mapping[int, float]:
        self.asked.append((spelled(prefix), spelled([token])))
        names = [spelled([token]), *self.free]
        logprob = -math.log(2) * len(prefix)
        return {ord(name): -1e38 if name in self.lowest else logprob for name in names}


def spelled(ids: Sequence[int]) -> str:
    return "".join(token.to_bytes(2).decode().strip("\0") for token in ids)


async def score(model: LetterModel, prompt: str, labels: Sequence[str], context_length: int = 99) -> LabelLogprobs:
    return await score_labels(model, prompt, labels, context_length, lambda _n_tokens: nullcontext())


async def scores(model: LetterModel, prompt: str, *labels: str, context_length: int = 99) -> list[float]:
    answer = await score(model, prompt, labels, context_length)
    assert [score.label for score in answer.scores] == list(labels)
    return [round(-score.logprob / math.log(2), 6) for score in answer.scores]


async def test_logprobs_of_all_tokens_are_summed() -> None:
    # "ab" with its opening token is 3 long: x costs 3 bits, y after it 4
    assert await scores(LetterModel(), "ab", "xy", "x") == [7.0, 3.0]


async def test_a_shared_prefix_is_asked_once() -> None:
    model = LetterModel()
    await scores(model, "a", "xy", "xz", "x")
    assert sorted(model.asked) == [("a", "x"), ("ax", "y"), ("ax", "z")]


async def test_likely_tokens_come_with_the_first_answer() -> None:
    model = LetterModel(free=("y", "z"))
    await scores(model, "a", "x", "y", "z")
    assert model.asked == [("a", "x")]


async def test_the_same_label_twice_is_scored_twice_and_asked_once() -> None:
    model = LetterModel()
    assert await scores(model, "a", "x", "x") == [2.0, 2.0]
    assert len(model.asked) == 1


async def test_a_label_that_would_merge_with_the_prompt_is_cut_alone() -> None:
    model = LetterModel(merges=("ab",))
    await scores(model, "a", "b")
    assert model.asked == [("a", "b")]


async def test_everything_that_is_asked_after_the_prompt_is_asked_in_one_turn() -> None:
    model = LetterModel()
    turns: list[int] = []

    @asynccontextmanager
    async def turn(n_tokens: int) -> AsyncIterator[None]:
        assert not model.asked
        yield
        turns.append(n_tokens)
        assert len(model.asked) == 2

    await score_labels(model, "abc", ["x", "y"], 99, turn)
    assert turns == [4]


async def test_counts_are_told() -> None:
    answer = await score(LetterModel(), "abc", ["xy"])
    assert answer.n_prompt_tokens == 4
    assert answer.scores[0].n_tokens == 2


async def test_what_underflows_counts_as_the_lowest() -> None:
    answer = await score(LetterModel(lowest=("x",)), "a", ["x"])
    assert answer.scores[0].logprob == LOWEST_LOGPROB


async def test_a_label_without_tokens_is_refused() -> None:
    with pytest.raises(RequestError, match=r"labels\[1\]"):
        await scores(LetterModel(), "a", "x", "")


async def test_prompt_and_longest_label_must_fit() -> None:
    await scores(LetterModel(), "ab", "x", "xyz", context_length=6)
    with pytest.raises(ContextLengthExceeded) as caught:
        await scores(LetterModel(), "ab", "x", "xyz", context_length=5)
    assert caught.value.context == {"n_prompt_tokens": 6, "context_length": 5}
