"""The asynchronous SDK: the same features at once, each answer its own."""

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.contract.wire import ASK, MODEL

BASE: dict[str, Any] = {"model": MODEL, "messages": ASK, "temperature": 0, "max_tokens": 8}


async def test_models_are_listed(aclient: AsyncOpenAI) -> None:
    assert MODEL in [model.id async for model in aclient.models.list()]


async def test_eight_chats_at_once_are_all_answered(aclient: AsyncOpenAI) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(aclient.chat.completions.create(**BASE)) for _ in range(8)]
    assert all(task.result().choices[0].message.content for task in tasks)
    assert len({task.result().id for task in tasks}) == 8


async def test_a_stream_is_read(aclient: AsyncOpenAI) -> None:
    chunks = [chunk async for chunk in await aclient.chat.completions.create(**BASE, stream=True)]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def test_streams_and_answers_run_side_by_side(aclient: AsyncOpenAI) -> None:
    async def stream() -> str:
        chunks = [chunk async for chunk in await aclient.chat.completions.create(**BASE, stream=True)]
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)

    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(stream()) for _ in range(3)]
        whole = group.create_task(aclient.chat.completions.create(**BASE))
    assert whole.result().choices[0].message.content
    assert all(task.result() for task in streams)


async def test_the_stream_helper_collects_a_completion(aclient: AsyncOpenAI) -> None:
    async with aclient.chat.completions.stream(**BASE) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content


async def test_completions_and_responses_answer(aclient: AsyncOpenAI) -> None:
    completion = await aclient.completions.create(model=MODEL, prompt="One two three", max_tokens=3)
    response = await aclient.responses.create(model=MODEL, input="Hello", max_output_tokens=16)
    assert completion.choices[0].text
    assert response.output_text


async def test_an_unknown_model_is_not_found(aclient: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await aclient.chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "hi"}])
