"""Audit events, counters and the exchange with the store."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from neuroforge.contracts.chat import Usage
from neuroforge.contracts.keys import AuditEvent
from neuroforge.contracts.routing import Spent
from neuroforge.errors import StorageError
from neuroforge.gateway.app import build_app
from neuroforge.gateway.audit import AuditBuffer
from neuroforge.gateway.desk import open_desk
from neuroforge.gateway.exchange import StateExchange
from neuroforge.gateway.parts import GatewayOptions, GatewayParts
from tests.unit.gateway.fakes import LAST, FakeMetricsSource, Gateway, delta, make_key

CHAT: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "zebra-canary"}]}


def event(place: int) -> AuditEvent:
    return AuditEvent(at_s=float(place), actor="local", action="inference", status=200)


def times(events: tuple[AuditEvent, ...]) -> list[float]:
    return [one.at_s for one in events]


def parts(gateway: Gateway) -> GatewayParts:
    return GatewayParts(
        options=GatewayOptions(replica_id="g1", version="0"),
        orchestrator=gateway.orchestrator,
        tasks=gateway.tasks,
        fleet_view=gateway.fleet_view,
        fleet=gateway.fleet,
        state=gateway.state,
        metrics=gateway.metrics,
        metrics_source=FakeMetricsSource(),
        wall_clock=gateway.wall_clock,
    )


def test_a_full_buffer_drops_the_oldest_and_counts() -> None:
    buffer = AuditBuffer(capacity=2)
    for place in range(3):
        buffer.add(event(place))
    assert (times(buffer.take()), buffer.n_dropped) == ([1.0, 2.0], 1)


def test_what_is_put_back_keeps_its_order_and_the_newest() -> None:
    buffer = AuditBuffer(capacity=3)
    for place in range(3):
        buffer.add(event(place))
    taken = buffer.take()
    buffer.add(event(3))
    buffer.put_back(taken)
    assert (times(buffer.take()), buffer.n_dropped) == ([1.0, 2.0, 3.0], 1)


async def test_an_inference_is_audited_by_who_what_and_how_much_but_never_the_text() -> None:
    gateway = Gateway()
    key, secret = make_key("k1")
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        await client.post("/v1/chat/completions", CHAT, headers={"x-request-id": "r1"})
    (found,) = gateway.state.events
    assert (found.actor, found.action, found.target, found.request_id, found.status) == (
        "k1",
        "inference",
        "small",
        "r1",
        200,
    )
    assert found.detail == {"route": "chat", "n_prompt_tokens": 3, "n_completion_tokens": 2}
    assert "zebra" not in found.model_dump_json()


async def test_a_model_that_does_not_exist_is_not_written_down() -> None:
    gateway = Gateway()
    gateway.orchestrator.error = StorageError("x")
    async with gateway.running() as client:
        await client.post("/v1/chat/completions", {**CHAT, "model": "zebra-canary"})
    assert gateway.state.events[0].target is None


async def test_who_is_not_known_is_counted_but_not_audited() -> None:
    gateway = Gateway()
    gateway.state.keys.append(make_key("k1")[0])
    async with gateway.running() as client:
        await client.post("/v1/chat/completions", CHAT)
    assert gateway.state.events == []
    told = [tags for name, _, tags in gateway.metrics.told if name == "neuroforge_requests_total"]
    assert told == [{"route": "chat", "model": "", "status": "401"}]


async def test_counters_are_summed_and_told_once() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        for _ in range(3):
            await client.post("/v1/chat/completions", CHAT)
    told = [(value, tags) for name, value, tags in gateway.metrics.told if name == "neuroforge_requests_total"]
    assert told == [(3, {"route": "chat", "model": "small", "status": "200"})]
    assert gateway.metrics.counts["neuroforge_tokens_total"] == 15


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_lost_attempt_used_is_on_the_key_s_account_under_its_model(stream: bool) -> None:
    gateway = Gateway()
    key, secret = make_key("k1")
    gateway.state.keys.append(key)
    gateway.orchestrator.events = (delta("hi"), LAST)
    gateway.orchestrator.spent = (Spent(model_id="late", usage=Usage(n_prompt_tokens=7, n_completion_tokens=4)),)
    async with gateway.running() as client:
        client.secret = secret
        reply = await client.post("/v1/chat/completions", {**CHAT, "stream": stream})
        assert stream or reply.json()["usage"]["total_tokens"] == 5, "the caller sees the answer's own"
    detail = gateway.state.events[0].detail
    assert (detail["n_prompt_tokens"], detail["n_completion_tokens"]) == (10, 6)
    told = [(tags["model"], value) for name, value, tags in gateway.metrics.told if name == "neuroforge_tokens_total"]
    assert sorted(told) == [("late", 4), ("late", 7), ("small", 2), ("small", 3)]
    assert gateway.state.reports[-1].usage[0].n_tokens == 16


async def test_when_the_store_is_away_events_wait_and_the_failure_is_counted() -> None:
    gateway = Gateway()
    given = parts(gateway)
    desk = open_desk(given)
    exchange = StateExchange(given, desk)
    desk.audit.add(event(1))
    gateway.state.error = StorageError("away")
    assert await exchange.try_once() is False
    assert gateway.metrics.counts["neuroforge_state_exchange_failures_total"] == 1
    gateway.state.error = None
    assert await exchange.try_once() is True
    assert times(tuple(gateway.state.events)) == [1.0]


async def test_further_loops_live_as_long_as_the_app() -> None:
    gateway = Gateway()
    seen: list[str] = []

    async def loop() -> None:
        seen.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("stopped")

    app = build_app(replace(parts(gateway), background=(loop,)))
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0)
        assert seen == ["started"]
    assert seen == ["started", "stopped"]


async def test_a_loop_that_ends_by_an_error_is_counted_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway()

    async def loop() -> None:
        raise StorageError("away")

    app = build_app(replace(parts(gateway), background=(loop,)))
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0)
        assert gateway.metrics.counts["neuroforge_gateway_loop_failures_total"] == 1
    assert "a background loop of the gateway ended" in caplog.text


async def test_shutting_down_hands_over_every_batch() -> None:
    gateway = Gateway()
    given = parts(gateway)
    desk = open_desk(given)
    for place in range(5001):
        desk.audit.add(event(place))
    await StateExchange(given, desk).drain()
    assert len(gateway.state.events) == 5001


async def test_shutting_down_does_not_wait_for_a_store_that_is_away() -> None:
    gateway = Gateway()
    given = parts(gateway)
    desk = open_desk(given)
    desk.audit.add(event(1))
    gateway.state.error = StorageError("away")
    await StateExchange(given, desk).drain()
    assert len(desk.audit) == 1
