from tests.unit.gateway.fakes import LAST, Gateway, delta

CHAT = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}


async def test_a_whole_answer_has_our_id_the_public_model_and_usage() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/v1/chat/completions", CHAT)
    body = reply.json()
    assert reply.status == 200
    assert body["id"].startswith("chatcmpl-")
    assert body["model"] == "small"
    assert body["usage"]["total_tokens"] == 5
    assert reply.headers["x-neuroforge-model"] == "small"


async def test_a_stream_ends_with_done_and_keeps_usage_to_itself() -> None:
    gateway = Gateway()
    gateway.orchestrator.events = (delta("hel"), delta("lo"), LAST)
    async with gateway.running() as client:
        reply = await client.post("/v1/chat/completions", {**CHAT, "stream": True})
    print(reply.body)
    events = reply.events()
    assert [data for _, data in events][-1] == "[DONE]"
    assert len(events) == 3
    assert b"usage" not in reply.body
