"""The bodies that three popular clients really sent (data/client_bodies, see clients/), replayed as they are.

Only a cap on the answer's length is added where the client set none, so that the suite stays short. Where the model
does not embed, the right refusal is the right answer.
"""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.wire import error_of

DATA = Path(__file__).parent / "data" / "client_bodies"
CAP_BY_PATH = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
}
CAPS = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
OBJECT_BY_PATH = {
    "/v1/chat/completions": "chat.completion",
    "/v1/completions": "text_completion",
    "/v1/responses": "response",
    "/v1/embeddings": "list",
}


def recorded() -> list[Any]:
    found = []
    for file in sorted(DATA.glob("*.json")):
        tree = json.loads(file.read_text(encoding="utf-8"))
        for place, call in enumerate(tree["calls"]):
            found.append(pytest.param(call, id=f"{tree['client']}-{call['call']}-{place}"))
    return found


def send(http: httpx2.Client, call: dict[str, Any]) -> httpx2.Response:
    body = dict(call["body"])
    cap = CAP_BY_PATH.get(call["path"])
    if cap is not None and not CAPS & body.keys():
        body[cap] = 16
    headers = {name: value for name, value in call["headers"].items() if name != "authorization"}
    return http.request(call["method"], call["path"], json=body, headers=headers)


@pytest.mark.parametrize("call", recorded())
def test_a_recorded_request_is_answered_in_its_shape(http: httpx2.Client, call: dict[str, Any]) -> None:
    answer = send(http, call)
    if call["path"] == "/v1/embeddings" and answer.status_code == 400:
        assert error_of(answer)["code"] == "unsupported_parameter"
        return
    assert answer.status_code == 200, answer.text[:500]
    if not call["body"].get("stream"):
        assert answer.json()["object"] == OBJECT_BY_PATH[call["path"]]
        return
    events = [event for event in answer.text.split("\n\n") if event]
    if call["path"] == "/v1/responses":
        assert events[0].startswith("event: response.created\ndata: {")
        assert events[-1].split("\n")[0] in {"event: response.completed", "event: response.incomplete"}
    else:
        assert events[-1] == "data: [DONE]"
        assert json.loads(events[0].removeprefix("data: "))["choices"]
