"""Deadline, a caller who hangs up, overload: the right status, and the engine's slot is free again at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import pytest

from tests.contract.wire import ASK, ENDLESS, MODEL, error_of, eventually
from tests.server import RunningServer

PATH = "/v1/chat/completions"
STREAM = {**ENDLESS, "stream": True}
SHORT: dict[str, Any] = {"model": MODEL, "messages": ASK, "max_tokens": 1}
FREE_WITHIN_S = 1.0
MARGIN_S = 1.0
"""For the short request's own prefill and token, on a busy machine."""
STATS_WITHIN_S = 15.0
"""The fleet controller asks each model every 2 s."""
MOST_CALLS = 200
"""More than a replica of the test's model takes and queues."""


@pytest.fixture
async def many(gateway: RunningServer, root: str) -> AsyncIterator[httpx2.AsyncClient]:
    """As many connections as it takes."""
    limits = httpx2.Limits(max_connections=None)
    headers = {"authorization": f"Bearer {gateway.api_key}"}
    async with httpx2.AsyncClient(base_url=root, headers=headers, timeout=60, limits=limits) as plain:
        yield plain


def slots(admin: httpx2.Client) -> int:
    """Sequences that decode together, over all replicas; known some seconds after the model is ready."""

    def stats() -> dict[str, Any] | None:
        models = admin.get("/admin/v1/models").json()["data"]
        found: dict[str, Any] | None = next(model["stats"] for model in models if model["id"] == MODEL)
        return found

    eventually(lambda: stats() is not None, STATS_WITHIN_S)
    known = stats()
    assert known is not None
    return int(known["slots_total"])


@contextmanager
def all_slots_taken(http: httpx2.Client, n_slots: int) -> Iterator[None]:
    """Every slot decodes an endless stream while this is open; leaving hangs up on all of them."""
    with ExitStack() as streams:
        for _ in range(n_slots):
            answer = streams.enter_context(http.stream("POST", PATH, json=STREAM))
            assert answer.status_code == 200
            pieces = answer.iter_raw()
            next(pieces)
            streams.callback(pieces.close)  # also keeps it alive: a forgotten iterator hangs up
        blocked = http.post(PATH, json={**SHORT, "neuroforge": {"deadline_s": 0.3}})
        assert blocked.status_code == 504, "there was a slot left"
        yield


def seconds_to_answer(http: httpx2.Client) -> float:
    started_s = time.monotonic()
    answer = http.post(PATH, json=SHORT)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - started_s


def test_a_passed_deadline_is_a_504(http: httpx2.Client) -> None:
    started_s = time.monotonic()
    answer = http.post(PATH, json={**ENDLESS, "neuroforge": {"deadline_s": 0.5}})
    assert (answer.status_code, error_of(answer)["code"]) == (504, "deadline_exceeded")
    assert 0.5 <= time.monotonic() - started_s < 0.5 + MARGIN_S


def test_a_deadline_frees_the_slot(http: httpx2.Client, admin: httpx2.Client) -> None:
    for _ in range(slots(admin) + 1):
        assert http.post(PATH, json={**ENDLESS, "neuroforge": {"deadline_s": 0.2}}).status_code == 504
    assert seconds_to_answer(http) < FREE_WITHIN_S + MARGIN_S


def test_a_stream_past_its_deadline_ends_with_an_error_event(http: httpx2.Client) -> None:
    answer = http.post(PATH, json={**STREAM, "neuroforge": {"deadline_s": 1.0}})
    assert answer.status_code == 200
    assert "deadline_exceeded" in answer.text.rstrip().split("\n\n")[-1]
    assert "[DONE]" not in answer.text


def test_a_caller_who_hangs_up_on_a_stream_frees_the_slot_within_a_second(
    http: httpx2.Client, admin: httpx2.Client
) -> None:
    with all_slots_taken(http, slots(admin)):
        pass
    assert seconds_to_answer(http) < FREE_WITHIN_S + MARGIN_S


async def test_a_caller_who_hangs_up_before_an_answer_frees_the_slot(
    many: httpx2.AsyncClient, http: httpx2.Client, admin: httpx2.Client
) -> None:
    calls = [asyncio.create_task(many.post(PATH, json=ENDLESS)) for _ in range(slots(admin))]
    done, _ = await asyncio.wait(calls, timeout=1.0)
    assert not done
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert await asyncio.to_thread(seconds_to_answer, http) < FREE_WITHIN_S + MARGIN_S


async def test_overload_is_a_429_that_says_when_to_come_back(many: httpx2.AsyncClient, http: httpx2.Client) -> None:
    async def refusal() -> httpx2.Response:
        answer = await many.post(PATH, json=ENDLESS)
        assert answer.status_code != 200, "an endless answer ended"
        return answer

    tasks = [asyncio.create_task(refusal()) for _ in range(MOST_CALLS)]
    done, _ = await asyncio.wait(tasks, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    answer = done.pop().result()
    assert (answer.status_code, error_of(answer)["code"]) == (429, "model_overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    await asyncio.to_thread(
        eventually, lambda: http.post(PATH, json=SHORT).status_code == 200, FREE_WITHIN_S + MARGIN_S
    )
