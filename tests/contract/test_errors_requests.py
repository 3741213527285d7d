"""What a caller did wrong: always a 4xx in OpenAI's envelope that names the field and never quotes the prompt."""

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.contract.wire import ASK, MODEL, PROMPT, error_of

CANARY = "zebra-canary-7431"
CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": CANARY}], "max_tokens": 2}


def post(http: httpx2.Client, path: str, body: Any) -> httpx2.Response:
    return http.post(path, json=body)


def test_an_unknown_model_is_a_404_that_lists_the_known_ones(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "hi"}])
    assert (caught.value.code, caught.value.type) == ("model_not_found", "invalid_request_error")
    assert MODEL in str(caught.value)


def test_a_prompt_that_is_too_long_is_told_both_numbers(http: httpx2.Client) -> None:
    facts = http.get(f"/v1/models/{MODEL}").json()["neuroforge"]
    words = "word " * (facts["context_length"] + 200)
    answer = post(http, "/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": words}]})
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert error["n_prompt_tokens"] > error["context_length"] == facts["context_length"]
    assert str(error["n_prompt_tokens"]) in error["message"]
    assert str(error["context_length"]) in error["message"]


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/chat/completions", {**CHAT, "messages": CANARY}, "messages"),
    ("/v1/chat/completions", {**CHAT, "messages": [{"role": "user", "content": {"a": CANARY}}]}, "messages[0].content"),
    ("/v1/chat/completions", {**CHAT, "messages": [{"role": CANARY, "content": "x"}]}, "messages[0]"),
    ("/v1/chat/completions", {**CHAT, "messages": []}, "messages"),
    ("/v1/chat/completions", {"model": MODEL}, "messages"),
    ("/v1/chat/completions", {"messages": ASK}, "model"),
    ("/v1/chat/completions", {**CHAT, "temperature": 9}, "temperature"),
    ("/v1/chat/completions", {**CHAT, "temperature": "hot"}, "temperature"),
    ("/v1/chat/completions", {**CHAT, "n": 0}, "n"),
    ("/v1/chat/completions", {**CHAT, "max_tokens": -1}, "max_tokens"),
    ("/v1/chat/completions", {**CHAT, "top_logprobs": 2}, "top_logprobs"),
    ("/v1/chat/completions", {**CHAT, "max_completion_tokens": 3}, "max_completion_tokens"),
    ("/v1/chat/completions", {**CHAT, "stream_options": {"include_usage": True}}, "stream_options"),
    ("/v1/chat/completions", {**CHAT, "response_format": {"type": "yaml"}}, "response_format"),
    ("/v1/chat/completions", {**CHAT, "maxtokens": 3}, "maxtokens"),
    ("/v1/completions", {"model": MODEL, "prompt": {"a": CANARY}}, "prompt"),
    ("/v1/completions", {"model": MODEL, "prompt": []}, "prompt"),
    ("/v1/embeddings", {"model": MODEL, "input": {"a": CANARY}}, "input"),
    ("/v1/responses", {"model": MODEL, "input": {"a": CANARY}}, "input"),
    ("/v1/responses", {"model": MODEL, "input": "x", "max_output_tokens": "many"}, "max_output_tokens"),
]


@pytest.mark.parametrize(("path", "body", "param"), BROKEN)
def test_a_broken_field_is_a_400_that_names_it_and_quotes_nothing(
    http: httpx2.Client, path: str, body: dict[str, Any], param: str
) -> None:
    answer = post(http, path, body)
    error = error_of(answer)
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert str(error["param"]).startswith(param)
    assert CANARY not in answer.text


def test_a_misspelt_field_is_told_the_right_name(http: httpx2.Client) -> None:
    assert "max_tokens" in error_of(post(http, "/v1/chat/completions", {**CHAT, "maxtokens": 3}))["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", True),
        ("modalities", ["audio"]),
        ("audio", {"voice": "alloy", "format": "mp3"}),
        ("web_search_options", {}),
        ("functions", [{"name": "f"}]),
        ("verbosity", "low"),
    ],
)
def test_what_would_change_the_answer_and_cannot_be_done_is_refused(http: httpx2.Client, name: str, value: Any) -> None:
    answer = post(http, "/v1/chat/completions", {**CHAT, name: value})
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", name)


@pytest.mark.parametrize("payload", [b"{", b'{"model": "x",}', b"\xff\xfe", b"[]", b'"text"', b"null", b""])
def test_a_body_that_is_no_json_object_is_a_400(http: httpx2.Client, payload: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = http.post("/v1/chat/completions", content=payload, headers=headers)
    assert answer.status_code == 400
    assert error_of(answer)["type"] == "invalid_request_error"


def test_another_content_type_is_a_400(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "content-type")


def test_a_body_over_the_limit_is_a_413(http: httpx2.Client) -> None:
    answer = http.post(
        "/v1/chat/completions", content=b" " * (8 * 1024 * 1024 + 1), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, error_of(answer)["code"]) == (413, "request_too_large")


def test_an_unknown_route_and_a_wrong_method_have_the_envelope(http: httpx2.Client) -> None:
    unknown, wrong = http.get("/v1/nothing"), http.get("/v1/chat/completions")
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "route_not_found")
    assert (wrong.status_code, error_of(wrong)["code"]) == (405, "method_not_allowed")


def test_a_refused_request_leaves_the_server_answering(client: OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt=PROMPT, max_tokens=1)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 1
