"""How items are dealt to splits and blocks."""

from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizeConfig
from neuroforge.prompts.prepare import prepare


def test_every_block_holds_its_share_of_each_label() -> None:
    items = [
        DatasetItem(id=f"i{k}", dataset="d", query=f"q{k}", scorer="exact", references=("no" if k % 4 else "yes",))
        for k in range(240)
    ]
    config = OptimizeConfig(name="t", prompt="Yes or no?\n\n{{ query }}", block_size=8)

    found = prepare(config, items)

    counts = [sum(found.by_id[one].references[0] == "yes" for one in block) for block in found.blocks]
    shares = sum(counts) / (8 * len(counts))
    assert len(found.blocks) == 15
    assert max(counts) - min(counts) <= 1
    assert 0.15 < shares < 0.35


def test_examples_of_the_test_resemble_no_other_item_of_it() -> None:
    """Else an item that is never shown itself would be shown its twin."""

    def ask(item_id: str, query: str, **more: Any) -> DatasetItem:
        return DatasetItem(id=item_id, dataset="d", query=query, scorer="exact", references=("yes",), **more)

    asked = "Is it true that the sky is blue on a clear day in June"
    items = [ask(f"i{k}", f"What is the answer to question {k}?") for k in range(40)]
    items += [ask(f"t{k}", asked + ", say" * k) for k in range(2)]
    for family in range(6):
        items += [ask(f"g{family}-{k}", f"Passage {family}, {k}: is it so?", group=f"p{family}") for k in range(3)]
        items.append(ask(f"r{family}", f"Do cats number {family} purr?"))
        items.append(ask(f"s{family}", f"Does feline {family} make a low sound?", paraphrase_of=f"r{family}"))
    seen: set[str] = set()

    for seed in range(40):
        found = prepare(OptimizeConfig(name="t", prompt="Yes or no?\n\n{{ query }}", seed=seed), items)
        test = {item.id for item in found.splits["test"]}
        twins = {"t0", "t1"} if {"t0", "t1"} <= test else set()
        fresh = {one.item_id for one in found.fresh}
        assert fresh == {one for one in test - twins if one[0] not in "rs"}
        assert not fresh & {one.item_id for one in found.pool}
        seen |= {one[0] for one in test if one[0] != "t"} | {one[0] for one in twins}
    assert seen == set("igrst"), "all kinds were put to the test"


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"budget": Budget(max_calls=180)}, 2),
        ({"budget": Budget(max_calls=550)}, 5),
        ({"budget": Budget(max_calls=5_000)}, 10),
        ({"budget": Budget(max_tokens=10_000_000)}, 10),
        ({"budget": Budget(max_calls=180), "strategy": "nas"}, 10),
        ({"budget": Budget(max_calls=180), "block_size": 7}, 7),
    ],
)
def test_few_calls_make_small_blocks(changes: dict[str, Any], size: int) -> None:
    config = OptimizeConfig(name="t", prompt="Yes or no?\n\n{{ query }}", **changes)
    asked = [
        DatasetItem(id=f"i{k}", dataset="d", query=f"q {k}", scorer="exact", references=("yes",), max_tokens=8)
        for k in range(60)
    ]

    assert {len(block) for block in prepare(config, asked).blocks} == {size}
