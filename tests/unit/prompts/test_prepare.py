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
