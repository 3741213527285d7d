"""POST /v1/responses through the official SDK: create, and the streaming events in their order."""

import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.contract.wire import MODEL, PROMPT

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True, "description": "Weather."}


class City(BaseModel):
    name: str
    is_capital: bool


def create(client: OpenAI, **options: Any) -> Any:
    base = {"model": MODEL, "input": PROMPT, "temperature": 0, "max_output_tokens": 24}
    return client.responses.create(**{**base, **options})


def test_a_response_has_text_and_usage(client: OpenAI) -> None:
    response = create(client)
    assert "Paris" in response.output_text
    assert (response.object, response.model) == ("response", MODEL)
    assert response.id.startswith("resp_")
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.input_tokens_details.cached_tokens >= 0


def test_instructions_and_items_are_read(client: OpenAI) -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"role": "assistant", "content": "Hello!"},
        {"type": "message", "role": "user", "content": PROMPT},
    ]
    assert create(client, instructions="Be brief.", input=items).output_text


def test_a_cut_response_is_incomplete_and_says_why(client: OpenAI) -> None:
    response = create(client, input="Write a long story about the sea.", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"


def test_a_forced_tool_becomes_a_function_call(client: OpenAI) -> None:
    response = create(client, tools=[WEATHER], tool_choice="required", max_output_tokens=96)
    calls = [item for item in response.output if item.type == "function_call"]
    assert calls[0].name == "weather"
    assert calls[0].call_id
    assert "city" in json.loads(calls[0].arguments)


def test_a_function_calls_output_is_read(client: OpenAI) -> None:
    items = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    ]
    assert create(client, input=items, tools=[WEATHER], tool_choice="none").output_text


def test_a_json_schema_shapes_the_response(client: OpenAI) -> None:
    response = client.responses.parse(model=MODEL, input=PROMPT, text_format=City, max_output_tokens=64, temperature=0)
    assert isinstance(response.output_parsed, City)


def test_the_events_of_a_stream_come_in_order(client: OpenAI) -> None:
    events = list(create(client, stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] in {"response.completed", "response.incomplete"}
    order = [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    assert [kind for kind in dict.fromkeys(kinds) if kind in order] == order
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_the_deltas_make_the_final_text(client: OpenAI) -> None:
    events = list(create(client, stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].response.output_text == text == create(client).output_text
    assert events[-1].response.usage.output_tokens > 0


def test_a_streamed_function_call_has_argument_events(client: OpenAI) -> None:
    events = list(create(client, tools=[WEATHER], tool_choice="required", max_output_tokens=96, stream=True))
    arguments = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert done.arguments == arguments
    assert "city" in json.loads(arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [("previous_response_id", "resp_1"), ("background", True), ("store", True), ("conversation", "conv_1")],
)
def test_state_that_is_not_kept_is_refused_by_name(client: OpenAI, name: str, value: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, **{name: value})
    assert caught.value.param == name
