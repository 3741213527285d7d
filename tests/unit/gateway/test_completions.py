import base64
import struct
from typing import Any

import pytest

from tests.unit.gateway.fakes import Gateway, Reply

VECTORS = {
    "object": "list",
    "model": "x",
    "id": "engine",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -2.0]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}


async def post(path: str, body: dict[str, Any], answer: dict[str, Any] | None = None) -> tuple[Gateway, Reply]:
    gateway = Gateway()
    gateway.orchestrator.body = answer or gateway.orchestrator.body
    async with gateway.running() as client:
        return gateway, await client.post(path, {"model": "small", **body})


async def test_a_completion_has_an_id_of_its_kind() -> None:
    _, reply = await post("/v1/completions", {"prompt": "once"})
    assert reply.json()["id"].startswith("cmpl-")


@pytest.mark.parametrize(
    ("prompt", "estimate"), [("a" * 40, 10), (["a" * 40, "b" * 80], 15), ([1, 2, 3], 3), ([[1, 2], [3, 4]], 2)]
)
async def test_every_form_of_prompt_is_passed_on_and_measured(prompt: Any, estimate: int) -> None:
    gateway, _ = await post("/v1/completions", {"prompt": prompt})
    assert gateway.orchestrator.requests[0].body == {"prompt": prompt}
    assert gateway.orchestrator.routings[0].n_prompt_tokens_estimate == estimate


async def test_a_completions_fields_become_capabilities() -> None:
    gateway, _ = await post(
        "/v1/completions", {"prompt": "a", "logprobs": 2, "echo": True, "suffix": "z", "best_of": 2, "n": 2}
    )
    needed = {"completion", "logprobs", "top_logprobs", "echo", "suffix", "best_of", "n"}
    assert gateway.orchestrator.routings[0].requirements == needed


async def test_neutral_fields_of_a_completion_are_dropped() -> None:
    gateway, _ = await post("/v1/completions", {"prompt": "a", "echo": False, "suffix": "", "best_of": 1, "user": "u"})
    assert gateway.orchestrator.requests[0].body == {"prompt": "a"}


@pytest.mark.parametrize("prompt", [[], [[]], {"a": 1}, [1, "a"], 5, [-1]])
async def test_another_form_of_prompt_is_a_400(prompt: Any) -> None:
    _, reply = await post("/v1/completions", {"prompt": prompt})
    assert reply.status == 400
    assert reply.error["param"].startswith("prompt")


async def test_embeddings_come_as_numbers() -> None:
    gateway, reply = await post("/v1/embeddings", {"input": "a"}, VECTORS)
    body = reply.json()
    assert body["data"][0]["embedding"] == [0.5, -2.0]
    assert (body["object"], body["model"], body["usage"]["total_tokens"]) == ("list", "small", 4)
    assert gateway.orchestrator.routings[0].requirements == {"embedding"}


async def test_embeddings_come_in_base64_when_asked() -> None:
    gateway, reply = await post("/v1/embeddings", {"input": "a", "encoding_format": "base64"}, VECTORS)
    packed = base64.b64decode(reply.json()["data"][0]["embedding"])
    assert struct.unpack("<2f", packed) == (0.5, -2.0)
    assert gateway.orchestrator.requests[0].body == {"input": "a"}


async def test_other_dimensions_are_refused() -> None:
    _, reply = await post("/v1/embeddings", {"input": "a", "dimensions": 8}, VECTORS)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "unsupported_parameter", "dimensions")
