"""Keys, scopes, allowed models and limits: 401, 403 and 429 in the envelope, with what a client needs to react."""

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.contract.wire import ASK, MODEL, error_of, eventually, fresh_key

CHAT: dict[str, Any] = {"model": MODEL, "messages": ASK, "max_tokens": 2}


def ask(root: str, key: str | None, body: dict[str, Any] | None = None) -> httpx2.Response:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx2.post(f"{root}/v1/chat/completions", json=body or CHAT, headers=headers, timeout=60)


@pytest.mark.parametrize("key", [None, "sk-wrong", "nf-abc-wrong"])
def test_no_key_or_a_wrong_one_is_a_401(root: str, key: str | None) -> None:
    answer = ask(root, key)
    assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert key is None or key not in answer.text


def test_the_sdk_knows_a_401(root: str) -> None:
    with (
        OpenAI(base_url=f"{root}/v1", api_key="nf-abc-wrong", max_retries=0) as sdk,
        pytest.raises(openai.AuthenticationError),
    ):
        sdk.models.list()


def test_a_revoked_key_is_a_401(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin) as secret:
        assert ask(root, secret).status_code == 200
    eventually(lambda: ask(root, secret).status_code == 401, within_s=5)


def test_an_inference_key_may_not_administrate(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin, scopes=["inference"]) as secret:
        answer = httpx2.get(f"{root}/admin/v1/keys", headers={"authorization": f"Bearer {secret}"})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "permission_denied")


def test_an_admin_key_may_not_ask_models(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin, scopes=["admin"]) as secret:
        answer = ask(root, secret)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "permission_denied")


def test_a_key_for_other_models_is_a_403(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin, allowed_models=["other"]) as secret:
        named, auto = ask(root, secret), ask(root, secret, {**CHAT, "model": "auto"})
    assert (named.status_code, error_of(named)["param"]) == (403, "model")
    assert auto.status_code in {403, 404}
    assert error_of(auto)["message"]


def test_requests_over_the_limit_are_a_429_that_says_when_to_come_back(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin, requests_per_minute=2) as secret:
        answers = [ask(root, secret) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert error_of(answers[2])["code"] == "rate_limit_exceeded"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]


def test_tokens_over_the_limit_are_a_429(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin, tokens_per_minute=5) as secret:
        first, second = ask(root, secret), ask(root, secret)
    assert first.status_code == 200
    assert (second.status_code, error_of(second)["code"]) == (429, "rate_limit_exceeded")
    assert int(second.headers["retry-after"]) >= 1


def test_a_secret_is_shown_once_and_its_hash_never(admin: httpx2.Client) -> None:
    with fresh_key(admin) as secret:
        listed = admin.get("/admin/v1/keys").text
    assert secret not in listed
    assert "sha256" not in listed


def test_calls_and_key_changes_are_in_an_intact_audit_log(root: str, admin: httpx2.Client) -> None:
    with fresh_key(admin) as secret:
        request_id = ask(root, secret).headers["x-request-id"]

    def actions() -> set[str]:
        rows = admin.get("/admin/v1/audit", params={"limit": 200}).json()["data"]
        events = [row["event"] for row in rows]
        return {event["action"] for event in events if event["request_id"] == request_id}

    eventually(lambda: actions() == {"inference"}, within_s=5)
    assert admin.get("/admin/v1/audit/verify").json()["is_intact"] is True
