"""The seed's first answers -> what is odd about the labels: told early, since no search will mend it for free."""

from collections import Counter
from collections.abc import Sequence

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.prompts.ask import ItemResult

RIGHT_OFTEN = 3
"""Times that a label must have been right to be missed."""


def check_labels(labels: Sequence[str], items: Sequence[DatasetItem], results: Sequence[ItemResult]) -> tuple[str, ...]:
    """Return what should be told of the seed's answers on a block.

    Args:
        labels: All that may be answered; empty = the task has none.
    """
    answered = [(item, one) for item, one in zip(items, results, strict=True) if not one.is_failed]
    if not labels or not answered:
        return ()
    known = {label.strip().casefold() for label in labels}
    given = [(one.answer or one.reply or "").strip() for _, one in answered]
    if not any(one.casefold() in known for one in given):
        said = " ".join(given[0].split())[:60]
        return (
            f"the model answered none of {len(given)} questions with one of the labels ({', '.join(labels[:5])}"
            f"{', ...' if len(labels) > 5 else ''}); it said, for example, {said!r}: say in the prompt what to answer",
        )
    right = Counter(item.references[0] for item, _ in answered if item.references)
    produced = {one.casefold() for one in given}
    return tuple(
        f"the label {label!r} was never answered, though it was right {n} times of {len(given)}"
        for label, n in right.items()
        if n >= RIGHT_OFTEN and label.strip().casefold() not in produced
    )
