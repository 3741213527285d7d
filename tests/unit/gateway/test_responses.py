import json
from typing import Any

import pytest
from openai.types.responses import Response
from openai.types.responses.response_stream_event import ResponseStreamEvent
from pydantic import TypeAdapter

from neuroforge.contracts.routing import Chunk
from neuroforge.errors import StreamInterrupted
from tests.unit.gateway.fakes import LAST, Gateway, Reply, chunk_body, delta, whole

PATH = "/v1/responses"
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


async def post(gateway: Gateway, **fields: Any) -> Reply:
    async with gateway.running() as client:
        return await client.post(PATH, {"model": "small", "input": "hello", **fields})


async def messages_of(**fields: Any) -> Any:
    gateway = Gateway()
    reply = await post(gateway, **fields)
    assert reply.status == 200, reply.body
    return gateway.orchestrator.requests[0].body["messages"]


async def streamed(*events: Any, **fields: Any) -> list[Any]:
    gateway = Gateway()
    gateway.orchestrator.events = events
    reply = await post(gateway, stream=True, **fields)
    found = [json.loads(data) for name, data in reply.events()]
    assert [name for name, _ in reply.events()] == [one["type"] for one in found]
    for one in found:
        EVENTS.validate_python(one)
    return found


def tool_delta(**call: Any) -> Chunk:
    return Chunk(body=chunk_body([{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]))


async def test_a_response_is_what_the_official_sdk_reads() -> None:
    reply = await post(Gateway(), instructions="be brief", metadata={"a": "b"})
    response = Response.model_validate(reply.json())
    assert (response.output_text, response.status, response.model) == ("hi", "completed", "small")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 2)
    assert (response.instructions, response.metadata, response.id[:5]) == ("be brief", {"a": "b"}, "resp_")


async def test_a_cut_response_is_incomplete() -> None:
    gateway = Gateway()
    gateway.orchestrator.body["choices"][0]["finish_reason"] = "length"
    response = Response.model_validate((await post(gateway)).json())
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


async def test_tool_calls_become_function_calls() -> None:
    gateway = Gateway()
    gateway.orchestrator.body = whole("", tool_calls=[CALL])
    body = (await post(gateway, tools=[TOOL])).json()
    assert [(one["type"], one["name"], one["call_id"]) for one in body["output"]] == [("function_call", "f", "c1")]
    assert gateway.orchestrator.requests[0].body["tools"][0]["function"]["name"] == "f"


async def test_items_become_the_conversation() -> None:
    items = [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "input_text", "text": "q"}]},
        {"type": "reasoning", "id": "rs", "summary": []},
        {"type": "message", "role": "assistant", "id": "m", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
    ]
    function = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert await messages_of(input=items, instructions="i") == [
        {"role": "system", "content": "i"},
        {"role": "system", "content": "d"},
        {"role": "user", "content": [{"type": "text", "text": "q"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}], "tool_calls": [function]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]


async def test_options_become_chats_and_needs_name_fields_of_this_route() -> None:
    gateway = Gateway()
    text = {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": True}}
    await post(gateway, text=text, max_output_tokens=9, top_logprobs=2, reasoning={"effort": "low"})
    request = gateway.orchestrator.requests[0]
    assert (request.body["max_tokens"], request.body["top_logprobs"], request.body["logprobs"]) == (9, 2, True)
    assert request.body["response_format"]["json_schema"]["name"] == "s"
    assert request.requirements == {"chat", "json_schema", "logprobs", "top_logprobs", "reasoning_effort"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("previous_response_id", "resp_1"),
        ("store", True),
        ("background", True),
        ("conversation", "c"),
        ("truncation", "auto"),
        ("prompt", {"id": "p"}),
    ],
)
async def test_state_that_is_not_kept_is_refused_by_name(name: str, value: Any) -> None:
    reply = await post(Gateway(), **{name: value})
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "unsupported_parameter", name)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": []}, "input"),
        ({"input": {"a": "b"}}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"messages": []}, "messages"),
    ],
)
async def test_a_wrong_value_is_a_400_with_its_path(fields: dict[str, Any], param: str) -> None:
    reply = await post(Gateway(), **fields)
    assert reply.status == 400
    assert reply.error["param"].startswith(param)


async def test_the_events_of_a_text_come_in_order_with_numbers() -> None:
    found = await streamed(delta("hel"), delta("lo", finish_reason="stop"), LAST)
    assert [one["type"].removeprefix("response.") for one in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [one["sequence_number"] for one in found] == list(range(10))
    final = Response.model_validate(found[-1]["response"])
    assert (final.output_text, final.usage.total_tokens if final.usage else None) == ("hello", 5)


async def test_the_events_of_a_function_call_come_in_order() -> None:
    first = tool_delta(index=0, id="c1", type="function", function={"name": "f", "arguments": ""})
    found = await streamed(delta("a"), first, tool_delta(index=0, function={"arguments": "{}"}), LAST)
    kinds = [one["type"].removeprefix("response.") for one in found]
    assert kinds[kinds.index("output_item.done") + 1 : -1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert [one["type"] for one in found[-1]["response"]["output"]] == ["message", "function_call"]
    assert found[-1]["response"]["output"][1]["arguments"] == "{}"


async def test_two_function_calls_are_two_items() -> None:
    calls = [tool_delta(index=place, id=f"c{place}", function={"name": "f", "arguments": "{}"}) for place in (0, 1)]
    found = await streamed(*calls, LAST)
    assert [one["call_id"] for one in found[-1]["response"]["output"]] == ["c0", "c1"]


async def test_reasoning_is_an_item_of_its_own() -> None:
    thought = Chunk(body=chunk_body([{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]))
    found = await streamed(thought, delta("a"), LAST)
    assert [one["type"] for one in found[-1]["response"]["output"]] == ["reasoning", "message"]


async def test_a_cut_stream_is_incomplete() -> None:
    found = await streamed(delta("a", finish_reason="length"), LAST)
    assert found[-1]["type"] == "response.incomplete"


async def test_a_stream_without_a_word_still_has_its_item() -> None:
    found = await streamed(LAST)
    assert [one["type"] for one in found[-1]["response"]["output"]] == ["message"]


async def test_a_broken_stream_ends_as_failed_with_an_error() -> None:
    found = await streamed(delta("a"), StreamInterrupted("cut"))
    assert [one["type"] for one in found[-2:]] == ["response.failed", "error"]
    assert found[-1]["code"] == "stream_interrupted"
