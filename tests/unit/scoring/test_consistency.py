import pytest

from neuroforge.scoring.consistency import agreement, agreement_across, comparable_answer
from tests.unit.datasets.fakes import item


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], None),
        (["a"], None),
        (["a", "a"], 1.0),
        (["a", "a", "b"], 1 / 3),
        ([None, None], 0.0),
        (["a", "a", "a", "b"], 0.5),
    ],
)
def test_agreement_is_the_share_of_equal_pairs(answers: list[str | None], expected: float | None) -> None:
    assert agreement(answers) == expected


def test_only_pairs_of_different_paraphrases_count() -> None:
    assert agreement_across({"q1": ["a", "b"], "q2": ["a"]}) == 0.5
    assert agreement_across({"q1": ["a", "a"], "q2": []}) is None
    assert agreement_across({"q1": ["a", "a"]}) is None


def test_choices_count_by_their_text() -> None:
    first = item(scorer="choice", labels=("A", "B"), choices=("Red.", "Blue"), references=("A",))
    second = item(scorer="choice", labels=("A", "B"), choices=("blue", "red"), references=("B",))
    assert comparable_answer(first, "A") == comparable_answer(second, "B") == "red"
    assert comparable_answer(first, None) is None
    assert comparable_answer(item(), "yes") == "yes"
