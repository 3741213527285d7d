"""Headers, `model: "auto"`, health and metrics."""

import re
from typing import Any

import httpx2
from openai import OpenAI

from tests.contract.wire import ASK, MODEL

CHAT: dict[str, Any] = {"model": MODEL, "messages": ASK, "max_tokens": 2}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def ask(http: httpx2.Client, headers: dict[str, str] | None = None, **options: Any) -> httpx2.Response:
    answer = http.post("/v1/chat/completions", json={**CHAT, **options}, headers=headers or {})
    assert answer.status_code == 200, answer.text
    return answer


def test_an_answer_says_who_gave_it_and_why(http: httpx2.Client) -> None:
    headers = ask(http).headers
    assert headers["x-neuroforge-model"] == MODEL
    assert re.fullmatch(r"\S+;reason=explicit", headers["x-neuroforge-decision"])


def test_a_stream_says_it_too(http: httpx2.Client) -> None:
    assert ask(http, stream=True).headers["x-neuroforge-model"] == MODEL


def test_server_timing_splits_gateway_and_model(http: httpx2.Client) -> None:
    timing = ask(http).headers["server-timing"]
    found = {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)", timing)}
    assert found.keys() == {"gateway", "model"}
    assert found["model"] > found["gateway"] > 0


def test_a_request_id_is_made_or_kept(http: httpx2.Client) -> None:
    first, second = ask(http), ask(http)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert ask(http, {"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"


def test_the_sdk_finds_the_request_id(client: OpenAI) -> None:
    assert client.completions.create(model=MODEL, prompt="a", max_tokens=1)._request_id


def test_a_trace_context_is_kept(http: httpx2.Client) -> None:
    given = ask(http, {"traceparent": TRACE}).headers["traceparent"]
    assert given.split("-")[1] == TRACE.split("-")[1]


def test_auto_picks_a_model_and_names_it(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": "Hello"}], max_tokens=2
    )
    assert raw.headers["x-neuroforge-model"] == MODEL
    assert raw.parse().model == MODEL


def test_auto_streams(http: httpx2.Client) -> None:
    assert ask(http, model="auto", stream=True).text.rstrip().endswith("data: [DONE]")


def test_health_and_readiness_need_no_key(root: str) -> None:
    assert httpx2.get(f"{root}/healthz").status_code == 200
    assert httpx2.get(f"{root}/readyz").json()["status"] == "ready"


def test_metrics_are_prometheus_text_that_count_this_models_requests(http: httpx2.Client) -> None:
    ask(http)
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "neuroforge_requests_total" in answer.text
