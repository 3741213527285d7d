import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.datasets.split import find_families, make_splits, select_split
from neuroforge.errors import DataError
from tests.unit.datasets.fakes import item

HALVES = {"train": 0.5, "test": 0.5}


def test_one_split_is_taken_alone() -> None:
    both = [item(1, split="train"), item(2, split="test")]
    assert [one.id for one in select_split(both, "test", "quiz")] == ["q2"]


def test_several_splits_are_never_put_together() -> None:
    with pytest.raises(DataError, match=r"quiz has several splits, name one: none \(1\), test \(1\)"):
        select_split([item(1), item(2, split="test")], None, "quiz")


def test_an_unknown_split_is_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"no split 'dev'; it has train \(1\)"):
        select_split([item(1, split="train")], "dev", "quiz")


def test_items_without_a_split_are_one() -> None:
    assert select_split([item(1), item(2)], None, "quiz") == (item(1), item(2))


def test_sizes_follow_the_shares() -> None:
    made = make_splits([item(n) for n in range(100)], {"train": 0.7, "dev": 0.1, "test": 0.2}, seed=0)
    assert {name: len(members) for name, members in made.items()} == {"train": 70, "dev": 10, "test": 20}
    assert all(one.split == name for name, members in made.items() for one in members)


def test_another_seed_splits_otherwise_and_the_order_of_the_file_does_not_count() -> None:
    items = [item(n) for n in range(40)]
    first = make_splits(items, HALVES, seed=0)
    assert {one.id for one in make_splits(items[::-1], HALVES, seed=0)["test"]} == {one.id for one in first["test"]}
    assert {one.id for one in make_splits(items, HALVES, seed=1)["test"]} != {one.id for one in first["test"]}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9)), min_size=12, max_size=40))
def test_nothing_that_is_shared_straddles_two_splits(keys: list[tuple[int, int, int]]) -> None:
    items = [
        item(n, group=f"g{group}", paraphrase_of=f"p{phrase}", query=f"text {text}")
        for n, (group, phrase, text) in enumerate(keys)
    ]
    items.append(item(99, query="alone"))  # two families at least
    made = make_splits(items, HALVES, seed=0)
    for attribute in ("group", "paraphrase_of", "query"):
        train, test = ({getattr(one, attribute) for one in made[name]} for name in HALVES)
        assert not (train & test) - {None}
    assert sum(map(len, made.values())) == len(items)


def test_a_family_is_whoever_is_connected_and_what_is_paraphrased_may_be_named_by_its_id() -> None:
    first, other, passage, alone = (
        item(1, group="a"),
        item(2, paraphrase_of="q1"),
        item(3, group="a", query="text"),
        item(4, group="b"),
    )

    assert find_families([first, other, alone, passage]) == [[first, other, passage], [alone]]


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 0.9, "b": 0.2}])
def test_shares_must_be_shares(shares: dict[str, float]) -> None:
    with pytest.raises(DataError, match="shares"):
        make_splits([item(1), item(2)], shares, seed=0)


def test_one_family_cannot_be_split() -> None:
    with pytest.raises(DataError, match="1 families of items"):
        make_splits([item(1, group="g"), item(2, group="g")], HALVES, seed=0)
