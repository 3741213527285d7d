"""POST /v1/chat/completions without streaming, through the official SDK, with the real SmolLM2."""

import math
from typing import Any

import pytest
from openai import OpenAI

from tests.contract.wire import ASK, ENDLESS, MODEL


def complete(client: OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": MODEL, "messages": ASK, "temperature": 0, **options})


def test_a_chat_is_answered_with_usage(client: OpenAI) -> None:
    answer = complete(client, max_tokens=24)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].message.role == "assistant"
    assert (answer.object, answer.model) == ("chat.completion", MODEL)
    assert answer.id.startswith("chatcmpl-")
    usage = answer.usage
    assert 0 < usage.completion_tokens <= 24
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_every_role_is_understood(client: OpenAI) -> None:
    talk = [
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Answer in English."}]},
        {"role": "user", "content": "Hello", "name": "ada"},
        {"role": "assistant", "content": "Hello!"},
        *ASK,
    ]
    assert complete(client, messages=talk, max_tokens=4).choices[0].message.content


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_answer_stops_at_the_limit(client: OpenAI, name: str) -> None:
    answer = complete(client, **{**ENDLESS, name: 5, **({"max_tokens": None} if name != "max_tokens" else {})})
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


def test_n_gives_that_many_choices(client: OpenAI) -> None:
    answer = complete(client, n=2, max_tokens=4)
    assert sorted(choice.index for choice in answer.choices) == [0, 1]
    assert all(choice.message.content for choice in answer.choices)
    assert answer.usage.completion_tokens > 4


def test_stop_ends_the_answer_before_the_word(client: OpenAI) -> None:
    whole = complete(client, max_tokens=24).choices[0].message.content
    stopped = complete(client, max_tokens=24, stop=["Paris"]).choices[0]
    assert stopped.finish_reason == "stop"
    assert stopped.message.content == whole[: whole.index("Paris")]


def test_the_same_seed_gives_the_same_text(client: OpenAI) -> None:
    texts = {complete(client, temperature=1.5, seed=7, max_tokens=12).choices[0].message.content for _ in range(3)}
    assert len(texts) == 1


def test_another_seed_gives_another_text(client: OpenAI) -> None:
    texts = {
        complete(client, temperature=1.5, seed=seed, max_tokens=12).choices[0].message.content for seed in range(3)
    }
    assert len(texts) > 1


def test_logprobs_come_with_each_token_and_its_rivals(client: OpenAI) -> None:
    answer = complete(client, logprobs=True, top_logprobs=3, max_tokens=6)
    tokens = answer.choices[0].logprobs.content
    assert len(tokens) == answer.usage.completion_tokens or len(tokens) == answer.usage.completion_tokens - 1
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.bytes == list(token.token.encode())
        assert math.isclose(max(rival.logprob for rival in token.top_logprobs), token.logprob, abs_tol=1e-6)


def test_logprobs_alone_bring_no_rivals(client: OpenAI) -> None:
    answer = complete(client, logprobs=True, max_tokens=2)
    assert all(token.top_logprobs == [] for token in answer.choices[0].logprobs.content)


def test_without_logprobs_there_are_none(client: OpenAI) -> None:
    assert complete(client, max_tokens=2).choices[0].logprobs is None


def test_advice_and_neutral_values_pass(client: OpenAI) -> None:
    answer = complete(
        client,
        max_tokens=2,
        user="u-1",
        metadata={"team": "a"},
        store=False,
        service_tier="auto",
        frequency_penalty=0,
        presence_penalty=0,
        n=1,
        parallel_tool_calls=True,
        modalities=["text"],
        response_format={"type": "text"},
        extra_body={"prompt_cache_key": "k", "safety_identifier": "s"},
    )
    assert answer.choices[0].message.content


def test_penalties_and_top_p_are_honoured(client: OpenAI) -> None:
    answer = complete(client, max_tokens=4, top_p=0.9, temperature=0.5, frequency_penalty=0.5, presence_penalty=-0.5)
    assert answer.choices[0].message.content


def test_logit_bias_forbids_the_end_of_the_answer(client: OpenAI) -> None:
    free = complete(client, max_tokens=32).choices[0]
    biased = complete(client, max_tokens=32, logit_bias=ENDLESS["logit_bias"]).choices[0]
    assert (free.finish_reason, biased.finish_reason) == ("stop", "length")
