from neuroforge.scoring.comparable import comparable_answer
from tests.unit.datasets.fakes import item


def test_choices_count_by_their_text() -> None:
    first = item(scorer="choice", labels=("A", "B"), choices=("Red.", "Blue"), references=("A",))
    second = item(scorer="choice", labels=("A", "B"), choices=("blue", "red"), references=("B",))
    assert comparable_answer(first, "A") == comparable_answer(second, "B") == "red"


def test_other_answers_count_as_they_were_read() -> None:
    assert comparable_answer(item(), "yes") == "yes"
    assert comparable_answer(item(), None) is None
    unknown = item(scorer="choice", labels=("A", "B"), choices=("x", "y"), references=("A",))
    assert comparable_answer(unknown, "C") == "C"
