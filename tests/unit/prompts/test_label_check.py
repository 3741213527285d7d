"""Labels that a model never says."""

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.label_check import check_labels

LABELS = ("good", "bad")


def items(*references: str) -> list[DatasetItem]:
    return [
        DatasetItem(id=f"i{k}", dataset="d", query="q", scorer="exact", references=(one,))
        for k, one in enumerate(references)
    ]


def said(*replies: str | None) -> list[ItemResult]:
    return [
        ItemResult(key="k", item_id=f"i{k}", reply=one, is_failed=one is None, reason="down" if one is None else None)
        for k, one in enumerate(replies)
    ]


def test_a_model_that_says_no_label_at_all_is_told_with_what_it_said() -> None:
    (told,) = check_labels(LABELS, items("good", "bad"), said("I like it.", "Hm."))

    assert told.startswith("the model answered none of 2 questions with one of the labels (good, bad)")
    assert "'I like it.'" in told


def test_a_label_that_was_right_three_times_and_never_said_is_told() -> None:
    found = check_labels(LABELS, items("bad", "bad", "bad", "good"), said("good", "Good ", "good", "good"))

    assert found == ("the label 'bad' was never answered, though it was right 3 times of 4",)


def test_one_that_was_right_twice_may_be_chance() -> None:
    assert check_labels(LABELS, items("bad", "bad", "good"), said("good", "good", "good")) == ()


def test_failed_calls_say_nothing_about_labels() -> None:
    assert check_labels(LABELS, items("bad", "bad"), said(None, None)) == ()


def test_a_task_without_labels_is_left_alone() -> None:
    assert check_labels((), items("4", "5"), said("four", "five")) == ()
