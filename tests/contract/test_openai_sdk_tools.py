"""Tools and structured output through the official SDK."""

import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.contract.wire import ASK, MODEL

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Weather.", "parameters": PARAMETERS}}
FORCED = {"type": "function", "function": {"name": "weather"}}
ASK_WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]


def complete(client: OpenAI, **options: Any) -> Any:
    base = {"model": MODEL, "messages": ASK_WEATHER, "temperature": 0, "max_tokens": 96}
    return client.chat.completions.create(**{**base, **options})


class City(BaseModel):
    name: str
    is_capital: bool


@pytest.mark.parametrize("choice", [FORCED, "required"])
def test_a_forced_tool_is_called_with_arguments_of_its_schema(client: OpenAI, choice: Any) -> None:
    reply = complete(client, tools=[WEATHER], tool_choice=choice).choices[0]
    assert reply.finish_reason in {"tool_calls", "stop"}
    (call,) = reply.message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    assert call.id
    assert isinstance(json.loads(call.function.arguments)["city"], str)


def test_streamed_tool_calls_have_an_index_and_join_to_json(client: OpenAI) -> None:
    chunks = complete(client, tools=[WEATHER], tool_choice="required", stream=True)
    deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert {delta.index for delta in deltas} == {0}
    assert deltas[0].id
    assert deltas[0].function.name == "weather"
    arguments = "".join(delta.function.arguments or "" for delta in deltas if delta.function)
    assert "city" in json.loads(arguments)


def test_a_tool_result_is_read(client: OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    talk = [
        *ASK_WEATHER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    assert complete(client, messages=talk, tools=[WEATHER], tool_choice="none", max_tokens=8).choices[0].message.content


def test_tool_choice_none_calls_nothing(client: OpenAI) -> None:
    assert not complete(client, tools=[WEATHER], tool_choice="none", max_tokens=8).choices[0].message.tool_calls


def test_a_choice_outside_the_tools_is_refused(client: OpenAI) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, tools=[WEATHER], tool_choice=other)
    assert caught.value.param == "tool_choice"


def test_a_json_schema_shapes_the_answer(client: OpenAI) -> None:
    request: Any = {"model": MODEL, "messages": ASK, "max_tokens": 64, "temperature": 0}
    answer = client.chat.completions.parse(**request, response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_a_json_schema_shapes_a_stream(client: OpenAI) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": City.model_json_schema()}}
    chunks = complete(client, messages=ASK, response_format=form, stream=True, max_tokens=64)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert City.model_validate_json(text)


def test_json_object_gives_json(client: OpenAI) -> None:
    talk = [{"role": "user", "content": 'Answer with {"city": "..."} as JSON: the capital of France.'}]
    reply = complete(client, messages=talk, response_format={"type": "json_object"}, max_tokens=128).choices[0]
    assert reply.message.content.lstrip().startswith("{")
    if reply.finish_reason == "stop":
        assert isinstance(json.loads(reply.message.content), dict)
