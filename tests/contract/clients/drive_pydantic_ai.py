"""Pydantic AI (PyPI: pydantic-ai-slim[openai]) against the recorder: `python drive_pydantic_ai.py http://127.0.0.1:8766`."""

import asyncio
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

ROOT = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8766"
MODEL = "smollm2-135m-instruct"
PROMPT = "Name the capital of France."


class City(BaseModel):
    """A city and how many live there."""

    city: str
    population: int


def weather(city: str) -> str:
    """Weather of a city."""
    return "sunny in " + city


def provider(call: str) -> OpenAIProvider:
    return OpenAIProvider(base_url=f"{ROOT}/{call}/v1", api_key="nf-x")


def chat(call: str) -> OpenAIChatModel:
    return OpenAIChatModel(MODEL, provider=provider(call))


async def stream(agent: Agent[None, object]) -> None:
    async with agent.run_stream(PROMPT) as result:
        async for _ in result.stream_output():
            pass


async def main() -> None:
    settings = {"max_tokens": 8, "temperature": 0.0, "seed": 7, "stop_sequences": ["\n\n"], "timeout": 30.0}
    await Agent(chat("chat"), system_prompt="Be brief.", model_settings=settings).run(PROMPT)
    await Agent(chat("instructions"), instructions="Be brief.").run(PROMPT)
    await stream(Agent(chat("stream")))
    await Agent(chat("tools"), tools=[weather]).run(PROMPT)
    await stream(Agent(chat("tools-stream"), tools=[weather]))
    await Agent(chat("output-tool"), output_type=City).run(PROMPT)
    await Agent(chat("output-native"), output_type=NativeOutput(City)).run(PROMPT)
    await Agent(chat("output-prompted"), output_type=PromptedOutput(City)).run(PROMPT)
    await Agent(OpenAIResponsesModel(MODEL, provider=provider("responses"))).run(PROMPT)
    await stream(Agent(OpenAIResponsesModel(MODEL, provider=provider("responses-stream"))))
    await Agent(OpenAIResponsesModel(MODEL, provider=provider("responses-tools")), tools=[weather]).run(PROMPT)


if __name__ == "__main__":
    asyncio.run(main())
