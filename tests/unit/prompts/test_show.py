"""Which examples an item is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Demonstration, PromptProgram
from neuroforge.prompts.show import count_shown, show_for

POOL = tuple(
    Demonstration(question=question, answer="a", item_id=f"i{place}", group=f"g{place // 2}")
    for place, question in enumerate(["card stolen", "card lost", "top up", "top up by card", "pin", "new pin"])
)


def item(query: str, item_id: str = "x", group: str | None = None) -> DatasetItem:
    return DatasetItem(id=item_id, dataset="d", query=query, group=group, scorer="exact", references=("a",))


def shown(program: PromptProgram, asked: DatasetItem) -> list[str]:
    return [one.question for one in show_for(program, asked).demonstrations]


@given(st.integers(1, 8), st.integers(0, 6), st.sampled_from(["a card", "?", "pin pin", "zzz"]))
def test_of_a_pool_so_many_are_shown_each_once(n_nearest: int, n_pool: int, query: str) -> None:
    program = PromptProgram(demonstrations=POOL[:n_pool], n_nearest=n_nearest)
    found = show_for(program, item(query))

    assert len(set(found.demonstrations)) == len(found.demonstrations) == min(n_nearest, n_pool) == count_shown(program)
    assert set(found.demonstrations) <= set(POOL[:n_pool])
    assert found.n_nearest is None


def test_the_most_similar_comes_last() -> None:
    assert shown(PromptProgram(demonstrations=POOL, n_nearest=3), item("top up by card"))[1:] == [
        "top up",
        "top up by card",
    ]


@pytest.mark.parametrize("n_nearest", [None, 4])
def test_an_items_own_example_and_those_of_its_group_are_not_shown(n_nearest: int | None) -> None:
    program = PromptProgram(demonstrations=POOL, n_nearest=n_nearest)

    assert sorted(shown(program, item("top up", "i2", "g1"))) == ["card lost", "card stolen", "new pin", "pin"]


def test_what_they_are_compared_with_is_the_question_as_the_template_puts_it() -> None:
    program = PromptProgram(demonstrations=POOL, n_nearest=1, input_template="{{ row.topic }}")
    asked = DatasetItem(
        id="x", dataset="d", query="top up", fields={"topic": "new pin"}, scorer="exact", references=("a",)
    )

    assert shown(program, asked) == ["new pin"]


def test_without_a_pool_all_are_shown_as_they_stand() -> None:
    program = PromptProgram(demonstrations=POOL)

    assert show_for(program, item("top up")) is program
    assert count_shown(program) == 6
