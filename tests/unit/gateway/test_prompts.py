"""What a gateway replica holds of prompts: snapshots in, releases found and rendered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.prompt_serving import PromptSnapshot
from neuroforge.contracts.prompts import PromptReference
from neuroforge.errors import NotFound, RequestError
from neuroforge.gateway.prompts import PromptShelf
from tests.unit.gateway.fakes_prompts import holding, release

FIRST, SECOND = release(("user", "1 {{ query }}")), release(("user", "2 {{ query }}"), version=2)


def shelf_with(snapshot: PromptSnapshot) -> PromptShelf:
    shelf = PromptShelf()
    shelf.update(snapshot)
    return shelf


def says(shelf: PromptShelf, reference: PromptReference) -> str:
    served, _ = shelf.find(reference, "model")
    return str(served.render({"query": "x"})[0]["content"])


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_caller_writes_arrives_as_it_is(query: str, other: str) -> None:
    held = holding(release(("user", "a{{ query }}b{% raw %}{{ c }}{% endraw %}{{ d }}"), variables=("d", "query")))
    served, _ = shelf_with(held).find(PromptReference(name="sense"), "model")
    assert served.render({"query": query, "d": other}) == [{"role": "user", "content": f"a{query}b{{{{ c }}}}{other}"}]


def test_a_newer_snapshot_takes_the_place_of_the_older_one_as_a_whole() -> None:
    shelf = shelf_with(holding(FIRST))
    assert (shelf.revision, says(shelf, PromptReference(name="sense"))) == (1, "1 x")
    aliases = holding(SECOND, alias="staging").aliases
    shelf.update(PromptSnapshot(revision=7, releases=(FIRST, SECOND), aliases=aliases))
    assert shelf.revision == 7
    assert says(shelf, PromptReference(name="sense", alias="staging")) == "2 x"
    assert says(shelf, PromptReference(name="sense", version=1)) == "1 x"
    with pytest.raises(NotFound, match="no alias 'production'; it has staging"):
        shelf.find(PromptReference(name="sense"), "model")


def test_a_version_whose_content_is_another_now_is_prepared_anew() -> None:
    shelf = shelf_with(holding(FIRST))
    assert says(shelf, PromptReference(name="sense")) == "1 x"
    shelf.update(holding(release(("user", "restored {{ query }}"))))
    assert says(shelf, PromptReference(name="sense")) == "restored x"


def test_an_empty_shelf_says_that_there_is_none() -> None:
    with pytest.raises(NotFound, match="there is no prompt 'sense'; there are: none"):
        PromptShelf().find(PromptReference(name="sense"), "model")


def test_a_text_that_would_become_too_long_is_refused() -> None:
    held = holding(release(("user", "{{ query }}" * 9)))
    served, _ = shelf_with(held).find(PromptReference(name="sense"), "model")
    with pytest.raises(RequestError, match="longer than 4,000,000 characters"):
        served.render({"query": "x" * 500_000})
