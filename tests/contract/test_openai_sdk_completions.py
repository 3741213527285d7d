"""POST /v1/completions and /v1/embeddings through the official SDK."""

from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.contract.wire import MODEL, error_of

PROMPT = "The capital of France is"


def complete(client: OpenAI, **options: Any) -> Any:
    base = {"model": MODEL, "prompt": PROMPT, "temperature": 0, "max_tokens": 4}
    return client.completions.create(**{**base, **options})


def capabilities(client: OpenAI) -> set[str]:
    facts = (client.models.retrieve(MODEL).model_extra or {})["neuroforge"]
    return set(facts["capabilities"])


def test_a_text_is_continued(client: OpenAI) -> None:
    answer = complete(client)
    assert "Paris" in answer.choices[0].text
    assert (answer.object, answer.model) == ("text_completion", MODEL)
    assert answer.usage.completion_tokens == 4


def test_a_list_of_one_prompt_is_a_prompt(client: OpenAI) -> None:
    assert complete(client, prompt=[PROMPT]).choices[0].text == complete(client).choices[0].text


def test_several_prompts_get_a_choice_each(client: OpenAI) -> None:
    answer = complete(client, prompt=[PROMPT, "Two and two is"])
    assert [choice.index for choice in answer.choices] == [0, 1]


def test_a_completion_streams(client: OpenAI) -> None:
    chunks = list(complete(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert text == complete(client).choices[0].text
    assert chunks[-1].usage.completion_tokens == 4


def test_logprobs_of_a_completion_have_openais_old_shape(client: OpenAI) -> None:
    logprobs = complete(client, logprobs=2).choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.top_logprobs)
    assert all(value <= 0 for value in logprobs.token_logprobs)


@pytest.mark.parametrize(("name", "value"), [("echo", True), ("suffix", "x"), ("best_of", 2)])
def test_what_the_model_cannot_do_is_refused_by_name(client: OpenAI, name: str, value: Any) -> None:
    if name in capabilities(client):
        assert complete(client, **{name: value}).choices[0].text
        return
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, **{name: value})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", name)


def test_embeddings_are_given_or_refused_as_the_model_says(client: OpenAI, http: httpx2.Client) -> None:
    body = {"model": MODEL, "input": ["a", "b"], "encoding_format": "float"}
    answer = http.post("/v1/embeddings", json=body)
    if "embedding" in capabilities(client):
        vectors = [row["embedding"] for row in answer.json()["data"]]
        decoded = client.embeddings.create(model=MODEL, input=["a", "b"])
        assert decoded.data[0].embedding == pytest.approx(vectors[0], rel=1e-5)
        return
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "unsupported_parameter"
