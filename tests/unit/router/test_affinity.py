from typing import Any

import pytest

from neuroforge.contracts.routing import RouteOptions, RoutingRequest
from neuroforge.router.affinity import MAX_AGE_S, PrefixMemory, Warm
from tests.fakes import FakeClock, routing_request

FIRST = [{"role": "user", "content": "a"}]
LATER = [*FIRST, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def asking(messages: list[dict[str, Any]], session: str | None = None, actor: str = "local") -> RoutingRequest:
    return routing_request(body={"messages": messages}, route=RouteOptions(session=session), actor=actor)


def test_the_next_turn_finds_the_model_that_answered_the_one_before(clock: FakeClock) -> None:
    memory = PrefixMemory(clock)
    memory.remember(asking(FIRST), "m", 40)
    assert memory.find(asking(LATER)) == Warm("m", 40)


def test_the_same_question_again_is_no_conversation(clock: FakeClock) -> None:
    memory = PrefixMemory(clock)
    memory.remember(asking(FIRST), "m", 40)
    assert memory.find(asking(FIRST)) is None


def test_a_session_is_found_whatever_its_messages_say(clock: FakeClock) -> None:
    memory = PrefixMemory(clock)
    memory.remember(asking(FIRST, "s"), "m", 40)
    assert memory.find(asking([{"role": "user", "content": "new"}], "s")) == Warm("m", 40)


def test_sessions_of_different_callers_are_apart(clock: FakeClock) -> None:
    memory = PrefixMemory(clock)
    memory.remember(asking(FIRST, "s", actor="k1"), "m", 40)
    assert memory.find(asking([{"role": "user", "content": "new"}], "s", actor="k2")) is None


def test_a_cache_is_cold_after_a_while(clock: FakeClock) -> None:
    memory = PrefixMemory(clock)
    memory.remember(asking(FIRST), "m", 40)
    clock.advance(MAX_AGE_S + 1)
    assert memory.find(asking(LATER)) is None


def test_the_least_recently_used_goes_first(clock: FakeClock) -> None:
    memory = PrefixMemory(clock, max_prefixes=2)
    for name in ("s1", "s2"):
        memory.remember(routing_request(route=RouteOptions(session=name)), name, 1)
    memory.find(routing_request(route=RouteOptions(session="s1")))
    memory.remember(routing_request(route=RouteOptions(session="s3")), "s3", 1)
    found = [memory.find(routing_request(route=RouteOptions(session=name))) for name in ("s1", "s2", "s3")]
    assert found == [Warm("s1", 1), None, Warm("s3", 1)]
