"""Prompts that are served by name, through OpenAI's own client."""

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.contract.conftest import bearer
from tests.server import RunningServer

USER = {"role": "user", "content": "Say hello."}
MODEL = "smollm2-135m-instruct"
RELEASES = {
    "hello": {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ query }}"}],
        "decoding": {"temperature": 0.0, "max_tokens": 3},
        "models": [MODEL],
    },
    "rhyme": {"messages": [{"role": "user", "content": "A {{ kind }} on {{ topic }}:"}]},
}


@pytest.fixture(scope="module", autouse=True)
def promoted(gateway: RunningServer, root: str) -> None:
    with httpx2.Client(base_url=root, headers=bearer(gateway.admin_key), timeout=240) as admin:
        for name, fields in RELEASES.items():
            body = {"release": {"name": name, "reason": "contract", **fields}}
            reply = admin.post(f"/admin/v1/prompts/{name}/promote", json=body)
            assert reply.status_code == 200, reply.text


def test_the_model_names_the_prompt_and_its_decoding_holds(client: OpenAI) -> None:
    reply = client.chat.completions.with_raw_response.create(model="prompt:hello@production", messages=[USER])  # type: ignore[list-item]
    answer = reply.parse()
    assert reply.headers["x-neuroforge-prompt"] == "hello@1"
    assert answer.model == MODEL
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 3


def test_variables_come_beside_the_model(client: OpenAI) -> None:
    options = {"neuroforge": {"prompt": {"name": "rhyme", "variables": {"kind": "poem", "topic": "tea"}}}}
    answer = client.chat.completions.create(model=MODEL, messages=[], max_tokens=4, extra_body=options)
    assert answer.choices[0].message.role == "assistant"


def test_the_prompt_is_what_the_model_reads(client: OpenAI) -> None:
    """The same tokens as the rendered messages have by themselves."""
    by_name = client.chat.completions.create(model="prompt:hello", messages=[USER])  # type: ignore[list-item]
    written = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "system", "content": "Be brief."}, USER],  # type: ignore[list-item]
        temperature=0.0,
        max_tokens=3,
    )
    assert by_name.usage is not None
    assert written.usage is not None
    assert by_name.usage.prompt_tokens == written.usage.prompt_tokens
    assert by_name.choices[0].message.content == written.choices[0].message.content


def test_a_prompt_streams(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="prompt:hello",
            messages=[USER],
            stream=True,
            stream_options={"include_usage": True},  # type: ignore[list-item]
        )
    )
    assert chunks[-1].usage is not None
    assert any(one.choices and one.choices[0].finish_reason for one in chunks)


def test_a_prompt_answers_in_the_callers_schema(client: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="prompt:hello",
        messages=[USER],  # type: ignore[list-item]
        max_tokens=32,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    assert (answer.choices[0].message.content or "").replace(" ", "").replace("\n", "")[:5] == '{"a":'


def test_unknown_names_are_not_found_and_list_what_there_is(client: OpenAI) -> None:
    for model, told in (("prompt:nope", "hello, rhyme"), ("prompt:hello@nope", "production"), ("prompt:hello@9", "1")):
        with pytest.raises(NotFoundError) as caught:
            client.chat.completions.create(model=model, messages=[USER])  # type: ignore[list-item]
        assert told in str(caught.value)


def test_a_missing_variable_is_a_bad_request_that_names_it(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="prompt:rhyme", messages=[USER])  # type: ignore[list-item]
    assert caught.value.param == "neuroforge.prompt.variables"
    assert "lacks kind, topic" in str(caught.value)
