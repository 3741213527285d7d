"""What the contract tests share: the model, requests that never end by themselves, and how an error must look."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

MODEL = "smollm2-135m-instruct"
PROMPT = "Name the capital of France."
ASK: list[dict[str, Any]] = [{"role": "user", "content": PROMPT}]
ENDLESS: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Count upwards from one, for ever."}],
    "logit_bias": {"0": -100, "2": -100},
    "max_tokens": 3000,
}
"""Never ends in time: the two end tokens of SmolLM2 (<|endoftext|> and <|im_end|>) cannot be drawn."""
ERROR_FIELDS = {"message", "type", "param", "code"}


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error inside an answer, which must be OpenAI's envelope as JSON with a request id beside it."""
    assert response.headers["content-type"].startswith("application/json"), response.text[:200]
    assert response.headers["x-request-id"]
    body = response.json()
    error: dict[str, Any] = body["error"]
    assert error.keys() >= ERROR_FIELDS
    assert isinstance(error["message"], str)
    assert error["message"]
    return error


def eventually(is_true: Callable[[], bool], within_s: float) -> float:
    """Return after how many seconds it became true; AssertionError when it did not in time."""
    started_s = time.monotonic()
    while not is_true():
        waited_s = time.monotonic() - started_s
        assert waited_s < within_s, f"still not true after {waited_s:.1f} s"
        time.sleep(0.02)  # between two looks at a real server: there is no clock of ours to turn
    return time.monotonic() - started_s


@contextmanager
def fresh_key(admin: httpx2.Client, **spec: Any) -> Iterator[str]:
    """A new API key that the gateway already knows; revoked at the end."""
    created = admin.post("/admin/v1/keys", json={"name": "contract test", **spec})
    assert created.status_code < 300, created.text
    secret, key_id = created.json()["secret"], created.json()["key"]["id"]
    bearer = {"authorization": f"Bearer {secret}"}
    eventually(lambda: admin.get("/v1/models", headers=bearer).status_code != 401, within_s=5)
    try:
        yield secret
    finally:
        assert admin.delete(f"/admin/v1/keys/{key_id}").status_code == 200
