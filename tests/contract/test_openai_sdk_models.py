"""GET /v1/models, as the official SDK reads it."""

import openai
import pytest
from openai import OpenAI

from tests.contract.wire import MODEL


def test_the_list_holds_auto_and_every_model(client: OpenAI) -> None:
    assert {"auto", MODEL} <= {model.id for model in client.models.list()}


def test_a_model_says_what_it_can(client: OpenAI) -> None:
    model = client.models.retrieve(MODEL)
    facts = (model.model_extra or {})["neuroforge"]
    assert (model.id, model.object, model.owned_by) == (MODEL, "model", "neuroforge")
    assert facts["state"] == "ready"
    assert facts["context_length"] >= 128
    assert {"chat", "completion", "tools", "json_schema", "logprobs"} <= set(facts["capabilities"])


def test_an_unknown_model_is_a_404_that_lists_the_known_ones(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-99")
    assert caught.value.code == "model_not_found"
    assert MODEL in str(caught.value)
