"""Registry datasets as they really are: pulled out of their packages, every row read."""

from collections import Counter
from pathlib import Path

import pytest

from neuroforge.assets.store import AssetStore
from neuroforge.datasets.pipeline import load_dataset
from neuroforge.errors import SandboxUnavailable
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.sandbox import Sandbox


@pytest.mark.parametrize(
    ("name", "n_items", "n_left_out", "scorers"),
    [
        ("commonsenseqa", 1196, 25, {"choice": 1196}),
        ("asdiv", 2304, 1, {"numeric": 2085, "normalized": 219}),
        ("humaneval", 164, 0, {"code": 164}),
    ],
)
def test_every_published_row_is_an_item_or_left_out_for_a_reason(
    shared_home: Path, name: str, n_items: int, n_left_out: int, scorers: dict[str, int]
) -> None:
    found = load_dataset(name, AssetStore(shared_home))
    assert (len(found.items), len(found.problems)) == (n_items, n_left_out)
    assert Counter(one.scorer for one in found.items) == scorers


def test_each_reference_of_asdiv_scores_1_against_itself(shared_home: Path) -> None:
    items = load_dataset("asdiv", AssetStore(shared_home)).items
    wrong = [one.id for one in items if score_reply(one, one.references[0], Sandbox()).value != 1.0]
    assert wrong == []


def test_a_right_function_passes_humanevals_tests_and_a_wrong_one_fails(shared_home: Path) -> None:
    item = load_dataset("humaneval", AssetStore(shared_home)).items[2]  # truncate_number
    sandbox = Sandbox()
    try:
        sandbox.check()
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    right = score_reply(item, "```python\ndef truncate_number(number):\n    return number % 1.0\n```", sandbox)
    wrong = score_reply(item, "```python\ndef truncate_number(number):\n    return number\n```", sandbox)
    assert (right.value, wrong.value) == (1.0, 0.0)
