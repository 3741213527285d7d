"""Prompts whose examples the question chooses: what is served is what was evaluated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompt_serving import PromptSnapshot, content_hash_of
from neuroforge.contracts.prompts import (
    Delimiter,
    Demonstration,
    DemonstrationStyle,
    Placement,
    PromptProgram,
    PromptReference,
    PromptRelease,
    PromptStyle,
)
from neuroforge.errors import StorageError
from neuroforge.gateway.prompt_views import export_of, text_of
from neuroforge.gateway.prompts import PromptShelf, Served
from neuroforge.prompts.release import check_release, release_of_program
from neuroforge.prompts.render import render_program
from tests.unit.gateway.fakes_prompts import holding

POOL = (
    Demonstration(question="my card was {{ stolen }}", answer="lost", reasoning="No card.", item_id="1"),
    Demonstration(question="where is my new card", answer="arrival", item_id="2"),
    Demonstration(question="top up by transfer", answer="top_up", reasoning="Money {% raw %} comes."),
    Demonstration(question="the transfer is pending", answer="top_up"),
)
QUERY = "was my new card stolen?"


def serve(program: PromptProgram) -> Served:
    release = release_of_program(program, "sense", "r")
    kept = PromptRelease(**{**dict(release), "version": 1, "content_hash": content_hash_of(release)})
    shelf = PromptShelf()
    shelf.update(holding(kept))
    return shelf.find(PromptReference(name="sense"), "model")[0]


def asked(query: str, **fields: str) -> DatasetItem:
    return DatasetItem(id="x", dataset="d", query=query, fields=fields, scorer="exact", references=("lost",))


@pytest.mark.parametrize("placement", ["system", "user"])
@pytest.mark.parametrize("delimiter", ["blank", "xml", "markdown"])
@pytest.mark.parametrize("style", ["turns", "text"])
@pytest.mark.parametrize("instruction", ["", "Say {{ which }} {% raw %}."])
@pytest.mark.parametrize("more", [{}, {"reasoning_cue": "Think.", "answer_cue": "Label:", "verbalizer": {"lost": "A"}}])
def test_a_release_renders_to_the_messages_that_were_measured(
    placement: Placement, delimiter: Delimiter, style: DemonstrationStyle, instruction: str, more: dict[str, Any]
) -> None:
    put = PromptStyle(placement=placement, delimiter=delimiter, demonstrations=style)
    program = PromptProgram(instruction=instruction, style=put, demonstrations=POOL, n_nearest=3, **more)

    assert tuple(serve(program).render({"query": QUERY})) == render_program(program, asked(QUERY))


@given(st.text(min_size=1, max_size=60), st.sampled_from(["turns", "text"]), st.integers(1, 5))
def test_whatever_a_caller_asks_chooses_as_it_did_when_measured(
    query: str, style: DemonstrationStyle, n_nearest: int
) -> None:
    put = PromptStyle(demonstrations=style)
    program = PromptProgram(instruction="Which?", style=put, demonstrations=POOL, n_nearest=n_nearest)

    assert tuple(serve(program).render({"query": query})) == render_program(program, asked(query))


def test_other_variables_choose_too() -> None:
    program = PromptProgram(demonstrations=POOL, n_nearest=1, input_template="{{ topic }}: {{ query }}")
    served = serve(program)

    assert served.release.variables == ("query", "topic")
    assert "where is my new card" in served.render({"query": "?", "topic": "a new card"})[0]["content"]


def test_the_hash_covers_the_examples() -> None:
    release = serve(PromptProgram(demonstrations=POOL, n_nearest=2)).release
    assert release.nearest is not None
    fewer = {**dict(release.nearest), "pool": release.nearest.pool[:3]}
    shelf = PromptShelf()
    shelf.update(holding(PromptRelease(**{**dict(release), "nearest": fewer})))

    with pytest.raises(StorageError, match="does not match its hash"):
        shelf.find(PromptReference(name="sense"), "model")


def test_a_pool_that_an_alias_names_is_indexed_beforehand_and_forgotten_with_it() -> None:
    release = serve(PromptProgram(demonstrations=POOL, n_nearest=2)).release
    unnamed = PromptRelease(**{**dict(release), "version": 2, "nearest": None, "content_hash": "0" * 64})
    shelf, snapshot = PromptShelf(), holding(release, unnamed)
    shelf.index(snapshot)
    shelf.update(snapshot)
    index = shelf.served("sense", 1).index

    shelf.index(snapshot)
    shelf.update(snapshot)
    assert shelf.served("sense", 1).index is index
    shelf.update(PromptSnapshot(revision=2))
    shelf.update(snapshot)
    assert shelf.served("sense", 1).index is not index


def test_what_is_exported_is_the_whole_release() -> None:
    style = PromptStyle(demonstrations="turns")
    release = release_of_program(PromptProgram(demonstrations=POOL, n_nearest=2, style=style), "sense", "r")
    read = PromptRelease.model_validate_json(export_of(release, "json"))

    assert read == release
    assert check_release(read, "sense").variables == ("query",)
    assert "[examples: the 2 of these 4 nearest to {{ query }}, most similar last]" in text_of(release)
    assert "[user, for each example]" in text_of(release)
    assert "top up by transfer" in text_of(release)
