import json
from typing import Any

import pytest

from neuroforge.contracts.scores import SCORER_NAMES, WITHOUT_REFERENCE, ScorerName
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.references import check_references
from neuroforge.scoring.sandbox import Sandbox
from tests.unit.datasets.fakes import item

RIGHT: dict[str, tuple[str, str]] = {
    "exact": ("Paris", "Paris"),
    "normalized": ("Paris", "paris."),
    "numeric": ("5", "It is 5"),
    "regex": ("^P", "Paris"),
    "json_schema": ('{"type": "integer"}', "5"),
    "f1": ("Paris", "Paris"),
    "rouge": ("Paris", "Paris"),
    "bleu": ("Paris", "Paris"),
    "function_call": ('[{"name": "f"}]', '{"name": "f"}'),
    "refusal": ("", "I can't help with that."),
}


@pytest.mark.parametrize("scorer", RIGHT)
def test_each_scorer_is_reached_by_its_name(scorer: ScorerName) -> None:
    reference, reply = RIGHT[scorer]
    made = item(scorer=scorer, references=() if scorer in WITHOUT_REFERENCE else (reference,))
    assert score_reply(made, reply, Sandbox()).value == 1.0


def test_choices_are_reached_too() -> None:
    made = item(scorer="choice", labels=("A", "B"), choices=("x", "y"), references=("B",))
    assert score_reply(made, "B", Sandbox()).value == 1.0


@pytest.mark.parametrize("scorer", ["judge", "embedding"])
def test_what_needs_more_than_the_reply_says_so(scorer: ScorerName) -> None:
    found = score_reply(item(scorer=scorer), "x", Sandbox())
    assert found.value is None
    assert found.reason


def test_calls_that_the_model_made_go_before_its_text() -> None:
    made = item(scorer="function_call", references=(json.dumps([{"name": "f"}]),))
    calls: list[dict[str, Any]] = [{"function": {"name": "f", "arguments": "{}"}}]
    assert score_reply(made, "Let me look.", Sandbox(), calls).value == 1.0


def test_every_scorer_has_a_name_and_is_tested() -> None:
    assert set(SCORER_NAMES) == {*RIGHT, "choice", "code", "embedding", "judge"}


@pytest.mark.parametrize(
    ("scorer", "reference"),
    [
        ("regex", "("),
        ("json_schema", "{"),
        ("json_schema", '{"$ref": "http://x"}'),
        ("function_call", "{}"),
        ("numeric", "many"),
    ],
)
def test_a_reference_that_its_scorer_cannot_use_is_refused(scorer: ScorerName, reference: str) -> None:
    with pytest.raises(ValueError):
        check_references(scorer, (reference,))
    check_references("exact", (reference,))
