import threading
from collections.abc import Iterator
from typing import Any

import pytest

from neuroforge import errors
from neuroforge.client import Client
from tests.unit.loopback import CHAT, Answer, Loopback, chunk, data, envelope, loopback


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def client(gateway: Loopback) -> Iterator[Client]:
    with Client(gateway.url, "nf-key", timeout_s=5.0) as one:
        yield one


def test_a_stream_yields_chunks_and_drops_keepalives(gateway: Loopback, client: Client) -> None:
    gateway.stream(CHAT, ": loading small\n\n", data(chunk("a")), data(chunk("b")), data("[DONE]"))
    assert [one["choices"][0]["delta"]["content"] for one in client.stream("Hi", "small")] == ["a", "b"]
    assert gateway.received[0].json["stream"] is True
    assert gateway.received[0].json["stream_options"] == {"include_usage": True}


def test_an_event_may_be_spread_over_many_packets(gateway: Loopback, client: Client) -> None:
    text = data(chunk("é" * 50)) + data("[DONE]")
    raw = text.encode()
    gateway.answer("POST", CHAT, Answer(chunks=[raw[i : i + 7] for i in range(0, len(raw), 7)]))
    assert [one["choices"][0]["delta"]["content"] for one in client.stream("Hi")] == ["é" * 50]


def test_leaving_a_stream_early_closes_the_connection(gateway: Loopback, client: Client) -> None:
    limit = threading.Event()
    gateway.stream(CHAT, data(chunk("a")), data(chunk("b")), waits_for=limit)
    stream = client.stream("Hi")
    next(stream)
    stream.close()
    assert gateway.hung_up.wait(5)
    limit.set()


def test_an_error_event_becomes_our_error(gateway: Loopback, client: Client) -> None:
    gateway.stream(CHAT, data(chunk("a")), data(envelope("deadline_exceeded", "too slow")))
    stream = client.stream("Hi")
    next(stream)
    with pytest.raises(errors.EngineTimeout, match="too slow"):
        next(stream)


def test_a_stream_without_its_end_is_interrupted(gateway: Loopback, client: Client) -> None:
    gateway.stream(CHAT, data(chunk("a")))
    with pytest.raises(errors.StreamInterrupted):
        list(client.stream("Hi"))


def test_a_cut_connection_interrupts_the_stream(gateway: Loopback, client: Client) -> None:
    gateway.stream(CHAT, data(chunk("a")), ends_cleanly=False)
    with pytest.raises(errors.StreamInterrupted):
        list(client.stream("Hi"))


def test_a_stream_that_is_refused_raises_what_the_server_named(gateway: Loopback, client: Client) -> None:
    gateway.answer_json("POST", CHAT, envelope("model_overloaded"), 429, retry_after="3")
    with pytest.raises(errors.EngineOverloaded) as caught:
        list(client.stream("Hi"))
    assert caught.value.context["retry_after_s"] == 3.0


def test_a_responses_stream_ends_with_its_own_event(gateway: Loopback, client: Client) -> None:
    last: dict[str, Any] = {"type": "response.completed", "response": {"error": None}}
    events: list[dict[str, Any]] = [{"type": "response.created"}, last]
    gateway.stream("/v1/responses", *(f"event: {one['type']}\n" + data(one) for one in events))
    assert list(client.stream_responses("Hi")) == events


def test_a_responses_error_event_is_raised(gateway: Loopback, client: Client) -> None:
    gateway.stream("/v1/responses", data({"type": "error", "code": "out_of_memory", "message": "too big"}))
    with pytest.raises(errors.OutOfMemory, match="too big"):
        list(client.stream_responses("Hi"))


def test_silence_is_a_timeout(gateway: Loopback) -> None:
    limit = threading.Event()
    gateway.stream(CHAT, data(chunk("a")), data(chunk("b")), waits_for=limit)
    with Client(gateway.url, timeout_s=0.05) as client:
        stream = client.stream("Hi")
        next(stream)
        with pytest.raises(errors.StreamInterrupted):
            next(stream)
    limit.set()
