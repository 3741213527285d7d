from typing import Any

import pytest

from tests.unit.gateway.fakes import Gateway, Reply

ASK = [{"role": "user", "content": "x"}]


async def post(path: str, **body: Any) -> tuple[Gateway, Reply]:
    gateway = Gateway()
    async with gateway.running() as client:
        return gateway, await client.post(path, {"model": "small", **body})


@pytest.mark.parametrize("prompt", [{"prompt": "abc"}, {"messages": [*ASK, *ASK, *ASK]}])
async def test_tokens_are_counted_by_the_named_model(prompt: dict[str, Any]) -> None:
    gateway, reply = await post("/v1/count_tokens", **prompt)
    assert reply.json() == {"n_tokens": 3, "context_length": 2048}
    assert (gateway.orchestrator.routings[0].policy, gateway.orchestrator.routings[0].model_id) == ("explicit", "small")


async def test_labels_are_scored_in_their_order_and_booked() -> None:
    gateway, reply = await post("/v1/label_logprobs", prompt="a", labels=["yes", "no"])
    assert [one["label"] for one in reply.json()["scores"]] == ["yes", "no"]
    assert gateway.orchestrator.routings[0].requirements == {"label_logprobs"}
    assert gateway.state.events[0].detail["n_prompt_tokens"] == 4


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": "a", "labels": []}, "labels"),
        ({"prompt": "a", "labels": [""]}, "labels[0]"),
        ({"prompt": "a"}, "labels"),
        ({"labels": ["a"]}, "prompt"),
        ({"prompt": "a", "messages": ASK, "labels": ["a"]}, "prompt"),
        ({"prompt": "a", "labels": ["a"], "model": "auto"}, "model"),
        ({"prompt": "a", "labels": ["a"], "top": 1}, "top"),
    ],
)
async def test_a_wrong_body_is_a_400_that_names_the_field(body: dict[str, Any], param: str) -> None:
    _, reply = await post("/v1/label_logprobs", **body)
    assert (reply.status, reply.error["param"]) == (400, param)
