"""LangChain (PyPI: langchain-openai) against the recorder: `python drive_langchain.py http://127.0.0.1:8766`."""

import sys

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

ROOT = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8766"
MODEL = "smollm2-135m-instruct"
PROMPT = "Name the capital of France."


class City(BaseModel):
    """A city and how many live there."""

    city: str
    population: int


@tool
def weather(city: str) -> str:
    """Weather of a city."""
    return "sunny in " + city


def chat(call: str, **options: object) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, base_url=f"{ROOT}/{call}/v1", api_key=SecretStr("nf-x"), **options)


def main() -> None:
    chat("chat", temperature=0, max_tokens=8, seed=7, stop=["\n\n"]).invoke(
        [SystemMessage("Be brief."), HumanMessage(PROMPT)]
    )
    chat("chat-max-completion", max_completion_tokens=8, n=2).generate([[HumanMessage(PROMPT)]])
    list(chat("stream").stream(PROMPT))
    list(chat("stream-usage", stream_usage=True, max_tokens=8).stream(PROMPT))
    list(chat("stream-without-usage", stream_usage=False).stream(PROMPT))
    chat("logprobs", logprobs=True, top_logprobs=3).invoke(PROMPT)
    chat("tools").bind_tools([weather]).invoke(PROMPT)
    chat("tools-forced").bind_tools([weather], tool_choice="weather", strict=True).invoke(PROMPT)
    chat("tools-any").bind_tools([weather], tool_choice="any", parallel_tool_calls=False).invoke(PROMPT)
    list(chat("tools-stream").bind_tools([weather]).stream(PROMPT))
    asked = HumanMessage(PROMPT)
    with_tool = chat("tool-answer").bind_tools([weather])
    reply = chat("tool-question").bind_tools([weather]).invoke([asked])
    with_tool.invoke([asked, reply, weather.invoke(reply.tool_calls[0])])
    chat("structured-json-schema").with_structured_output(City).invoke(PROMPT)
    chat("structured-function").with_structured_output(City, method="function_calling").invoke(PROMPT)
    chat("structured-json-mode").with_structured_output(City, method="json_mode").invoke(PROMPT + " As JSON.")
    list(chat("structured-stream").with_structured_output(City).stream(PROMPT))
    chat("responses", use_responses_api=True, max_tokens=16).invoke([SystemMessage("Be brief."), HumanMessage(PROMPT)])
    list(chat("responses-stream", use_responses_api=True).stream(PROMPT))
    chat("responses-tools", use_responses_api=True).bind_tools([weather]).invoke(PROMPT)
    completion = OpenAI(model=MODEL, base_url=f"{ROOT}/completion/v1", api_key=SecretStr("nf-x"), max_tokens=8)
    completion.invoke(PROMPT)
    list(completion.stream(PROMPT))
    options = {"model": MODEL, "api_key": SecretStr("nf-x"), "check_embedding_ctx_length": False}
    OpenAIEmbeddings(base_url=f"{ROOT}/embeddings/v1", **options).embed_documents(["a", "b"])


if __name__ == "__main__":
    main()
