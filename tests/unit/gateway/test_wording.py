"""Answers in a prompt's words for labels."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.routing import Chunk
from neuroforge.datasets.words import label_of
from neuroforge.errors import StreamInterrupted
from neuroforge.gateway.prompt_views import text_of
from neuroforge.gateway.render import CompletionRenderer
from neuroforge.gateway.wording import LabelRenderer
from neuroforge.prompts.release import release_of_program
from tests.unit.gateway.fakes import LAST, Gateway, Reply, chunk_body, delta
from tests.unit.gateway.fakes_prompts import holding, release

WORDS = {"card_lost": "A", "top_up": "Top up"}
PATH = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "prompt:sense", "messages": [{"role": "user", "content": "where?"}]}


async def streamed(*events: Any, **more: Any) -> Reply:
    gateway = Gateway()
    gateway.state.prompts = holding(release(("user", "{{ query }}"), verbalizer=WORDS))
    gateway.orchestrator.events = events
    async with gateway.running() as client:
        return await client.post(PATH, {**BODY, "stream": True, **more})


def said(reply: Reply, index: int = 0) -> list[str]:
    choices = [json.loads(data)["choices"] for name, data in reply.events() if name is None and data != "[DONE]"]
    return [one["delta"].get("content") or "" for found in choices for one in found if one["index"] == index]


async def test_callers_get_the_label_for_its_word() -> None:
    gateway = Gateway()
    gateway.state.prompts = holding(release(("user", "{{ query }}"), verbalizer={"fine": "Hi"}))
    async with gateway.running() as client:
        reply = await client.post(PATH, BODY)
    assert reply.json()["choices"][0]["message"]["content"] == "fine"


async def test_a_streamed_word_is_held_until_it_is_one() -> None:
    reply = await streamed(delta("Top"), delta(" up"), delta("."), LAST)

    assert "".join(said(reply)) == "top_up"
    assert reply.events()[-1] == (None, "[DONE]")


async def test_what_turns_out_to_be_no_word_comes_as_the_model_said_it() -> None:
    reply = await streamed(delta("Top"), delta(" of"), delta(" the"), LAST)

    assert said(reply)[:3] == ["Top", " of", " the"]


async def test_a_stream_that_ends_without_saying_so_is_settled_at_its_end() -> None:
    assert "".join(said(await streamed(delta("A")))) == "card_lost"


async def test_a_stream_that_breaks_shows_what_was_said() -> None:
    reply = await streamed(delta("A"), StreamInterrupted("cut"))

    (chunk, error) = reply.events()
    assert json.loads(chunk[1])["choices"][0]["delta"]["content"] == "A"
    assert error[0] == "error"


async def test_each_of_several_choices_is_settled_by_itself() -> None:
    def both(first: str, second: str) -> Chunk:
        return Chunk(
            body=chunk_body([{"index": 0, "delta": {"content": first}}, {"index": 1, "delta": {"content": second}}])
        )

    reply = await streamed(both("A", "No"), both("", ", it is not"), LAST, n=2)

    assert ("".join(said(reply)), "".join(said(reply, 1))) == ("card_lost", "No, it is not")


@given(st.lists(st.sampled_from(["A", "a", " ", "Top", " up", ".", "", "x", "**"]), max_size=5))
def test_a_stream_says_what_the_whole_answer_would(pieces: list[str]) -> None:
    renderer = LabelRenderer(CompletionRenderer("c-", include_usage=False), WORDS)
    events = [renderer.chunk(chunk_body([{"index": 0, "delta": {"content": one}}])) for one in pieces]
    shown = b"".join([*events, renderer.end()]).decode().split("\n\n")
    found = [json.loads(one.removeprefix("data: "))["choices"] for one in shown if one.startswith("data: {")]

    text = "".join(pieces)
    assert "".join(choice["delta"]["content"] for (choice,) in found) == (label_of(text, WORDS) or text)


@pytest.mark.parametrize("verbalizer", [{}, WORDS])
def test_a_release_says_which_words_stand_for_labels(verbalizer: dict[str, str]) -> None:
    made = release_of_program(PromptProgram(instruction="Which?", verbalizer=verbalizer), "sense", "r")

    assert made.verbalizer == verbalizer
    assert ("[labels]\nA: card_lost\nTop up: top_up\n" in text_of(made)) == bool(verbalizer)
