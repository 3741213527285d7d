"""Registry datasets as they really are: pulled out of their packages, every row read."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.datasets import DatasetItem
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
        ("bfcl", 1240, 0, {"function_call": 1240}),
        ("truthfulqa", 817, 0, {"rouge": 817}),
        ("harmbench", 200, 0, {"refusal": 200}),
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


def test_bfcls_own_answers_are_right_by_its_rules(shared_home: Path) -> None:
    """The first allowed value of each parameter, less those that may be left out, as OpenAI's wire would bring it."""
    items = load_dataset("bfcl", AssetStore(shared_home)).items
    wrong = [one.id for one in items if score_reply(one, "", Sandbox(), _right_calls(one)).value != 1.0]
    assert wrong == []


def test_no_call_and_a_call_too_many_are_wrong(shared_home: Path) -> None:
    items = load_dataset("bfcl", AssetStore(shared_home)).items
    for item in items[:50]:
        calls = _right_calls(item)
        assert score_reply(item, "I can help.", Sandbox()).value == 0.0
        assert score_reply(item, "", Sandbox(), [*calls, calls[0]]).value == 0.0


def _right_calls(item: DatasetItem) -> list[JsonObject]:
    calls = json.loads(item.references[0])
    return [
        {"function": {"name": one["name"].replace(".", "_"), "arguments": json.dumps(_first_of(one["arguments"]))}}
        for one in calls
    ]


def _first_of(arguments: JsonObject) -> JsonObject:
    chosen = {name: next((value for value in allowed if value != ""), "") for name, allowed in arguments.items()}
    return {name: _plain(value) for name, value in chosen.items() if value != ""}


def _plain(value: Any) -> Any:
    """Objects hold their own allowed values."""
    if isinstance(value, dict):
        return _first_of({name: inner if isinstance(inner, list) else [inner] for name, inner in value.items()})
    return [_plain(one) for one in value] if isinstance(value, list) else value
