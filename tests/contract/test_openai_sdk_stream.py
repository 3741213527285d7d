"""Streams of /v1/chat/completions through the official SDK."""

from typing import Any

import httpx2
from openai import OpenAI

from tests.contract.wire import ASK, ENDLESS, MODEL


def stream(client: OpenAI, **options: Any) -> list[Any]:
    request = {"model": MODEL, "messages": ASK, "temperature": 0, "max_tokens": 12, "stream": True, **options}
    return list(client.chat.completions.create(**request))


def text_of(chunks: list[Any], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


def test_the_pieces_make_the_whole_answer(client: OpenAI) -> None:
    chunks = stream(client)
    whole = client.chat.completions.create(model=MODEL, messages=ASK, temperature=0, max_tokens=12)  # type: ignore[arg-type]
    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {(chunk.object, chunk.model) for chunk in chunks} == {("chat.completion.chunk", MODEL)}
    assert len({chunk.id for chunk in chunks}) == 1


def test_only_the_last_piece_has_a_finish_reason(client: OpenAI) -> None:
    reasons = [chunk.choices[0].finish_reason for chunk in stream(client, **{**ENDLESS, "max_tokens": 4})]
    assert reasons[-1] == "length"
    assert set(reasons[:-1]) == {None}


def test_usage_comes_last_when_it_is_asked_for(client: OpenAI) -> None:
    chunks = stream(client, stream_options={"include_usage": True})
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens > 0
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_usage_stays_away_when_it_is_not(client: OpenAI) -> None:
    chunks = stream(client)
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_n_streams_come_side_by_side(client: OpenAI) -> None:
    chunks = stream(client, n=2, max_tokens=4)
    assert text_of(chunks, 0)
    assert text_of(chunks, 1)


def test_logprobs_are_streamed(client: OpenAI) -> None:
    chunks = stream(client, logprobs=True, top_logprobs=2, max_tokens=4)
    tokens = [
        token for chunk in chunks for choice in chunk.choices if choice.logprobs for token in choice.logprobs.content
    ]
    assert "".join(token.token for token in tokens).startswith(text_of(chunks))
    assert all(len(token.top_logprobs) == 2 for token in tokens)


def test_stop_ends_a_stream(client: OpenAI) -> None:
    chunks = stream(client, stop="Paris")
    assert "Paris" not in text_of(chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_wire_is_server_sent_events_up_to_done(http: httpx2.Client) -> None:
    body = {"model": MODEL, "messages": ASK, "max_tokens": 4, "stream": True}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    events = [line for line in answer.text.split("\n\n") if line and not line.startswith(":")]
    assert all(event.startswith("data: ") for event in events)
    assert events[-1] == "data: [DONE]"


def test_tokens_arrive_one_by_one(http: httpx2.Client) -> None:
    with http.stream("POST", "/v1/chat/completions", json={**ENDLESS, "max_tokens": 30, "stream": True}) as answer:
        reads = [piece for piece in answer.iter_raw() if piece]
    assert len(reads) >= 10
