from typing import Any

import pytest

from neuroforge.contracts.keys import ApiKey, KeySpec, KeyUsage
from neuroforge.errors import RateLimited
from neuroforge.gateway.call import Call, open_call
from neuroforge.gateway.limits import Limiter
from tests.unit.gateway.fakes import FakeClock, Gateway, make_key


def key(**limits: Any) -> ApiKey:
    return make_key("k1", KeySpec(name="a", **limits))[0]


def call() -> Call:
    return open_call({"headers": [], "method": "GET", "path": "/", "client": None}, 0.0, False)


def limiter(now_s: float = 600.0, **defaults: Any) -> tuple[Limiter, FakeClock]:
    clock = FakeClock(now_s)
    return Limiter(clock, defaults.get("requests"), defaults.get("tokens")), clock


def headers_of(one: Call) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in one.response_headers if name.startswith(b"x-ratelimit")}


def test_requests_over_the_limit_are_refused_until_the_window_moves() -> None:
    limits, clock = limiter()
    for _ in range(2):
        limits.admit(key(requests_per_minute=2), call())
    with pytest.raises(RateLimited) as caught:
        limits.admit(key(requests_per_minute=2), call())
    assert caught.value.context["retry_after_s"] == 60.0
    clock.now_s = 719.0
    limits.admit(key(requests_per_minute=2), call())


def test_last_minute_counts_by_the_share_that_is_less_than_a_minute_ago() -> None:
    limits, clock = limiter(now_s=600.0)
    for _ in range(4):
        limits.admit(key(requests_per_minute=4), call())
    clock.now_s = 690.0
    one = call()
    limits.admit(key(requests_per_minute=4), one)
    assert headers_of(one)["x-ratelimit-remaining-requests"] == "1"


def test_headers_tell_limit_rest_and_reset() -> None:
    limits, _ = limiter(now_s=615.0)
    one = call()
    limits.admit(key(requests_per_minute=5, tokens_per_minute=9), one)
    assert headers_of(one) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "45s",
        "x-ratelimit-limit-tokens": "9",
        "x-ratelimit-remaining-tokens": "9",
        "x-ratelimit-reset-tokens": "45s",
    }


def test_tokens_are_refused_once_they_are_used_up() -> None:
    limits, _ = limiter()
    one = key(tokens_per_minute=5)
    limits.admit(one, call())
    limits.add_tokens(one, 5)
    with pytest.raises(RateLimited, match="5 tokens per minute"):
        limits.admit(one, call())


def test_other_replicas_counts_are_added() -> None:
    limits, _ = limiter()
    limits.update([KeyUsage(key_id="k1", minute=10, n_requests=1), KeyUsage(key_id="k1", minute=10, n_requests=1)])
    with pytest.raises(RateLimited):
        limits.admit(key(requests_per_minute=2), call())


def test_defaults_bind_keys_without_limits_of_their_own() -> None:
    limits, _ = limiter(requests=1)
    limits.admit(key(), call())
    with pytest.raises(RateLimited):
        limits.admit(key(), call())
    limits.admit(key(requests_per_minute=3), call())


def test_a_caller_without_a_key_has_no_limit() -> None:
    limits, _ = limiter(requests=1)
    for _ in range(3):
        limits.admit(None, call())
    assert limits.report() == ()


def test_the_report_holds_two_minutes_and_forgets_older_ones() -> None:
    limits, clock = limiter(now_s=600.0)
    limits.admit(key(), call())
    clock.now_s = 660.0
    limits.add_tokens(key(), 7)
    assert [(one.minute, one.n_requests, one.n_tokens) for one in limits.report()] == [(10, 1, 0), (11, 0, 7)]
    clock.now_s = 720.0
    assert [one.minute for one in limits.report()] == [11]


async def test_a_refused_request_is_a_429_that_says_when_to_come_back() -> None:
    gateway = Gateway()
    made, secret = make_key("k1", KeySpec(name="a", requests_per_minute=1))
    gateway.state.keys.append(made)
    body = {"model": "small", "messages": [{"role": "user", "content": "x"}]}
    async with gateway.running() as client:
        client.secret = secret
        first, second = [await client.post("/v1/chat/completions", body) for _ in range(2)]
    assert (first.status, first.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    assert (second.status, second.error["code"], second.headers["retry-after"]) == (429, "rate_limit_exceeded", "60")


async def test_an_answers_tokens_are_booked_on_its_key() -> None:
    gateway = Gateway()
    made, secret = make_key("k1")
    gateway.state.keys.append(made)
    async with gateway.running() as client:
        client.secret = secret
        await client.post("/v1/chat/completions", {"model": "small", "messages": [{"role": "user", "content": "x"}]})
    usage = gateway.state.reports[-1].usage
    assert [(one.key_id, one.n_requests, one.n_tokens) for one in usage] == [("k1", 1, 5)]
