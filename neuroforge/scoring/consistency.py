"""Answers to the same question -> how much they agree."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.scoring.normalized import normalize


def agreement(answers: Sequence[str | None]) -> float | None:
    """Return the share of pairs that say the same; None with fewer than two answers.

    Args:
        answers: Of repeats of one cell, comparable (`comparable_answer`); None = a reply without an answer in it, which
            agrees with nothing. Calls that failed are left out by the caller.
    """
    pairs = list(combinations(answers, 2))
    return sum(map(_agree, pairs)) / len(pairs) if pairs else None


def agreement_across(answers_by_item: Mapping[str, Sequence[str | None]]) -> float | None:
    """Return the share of pairs from different items, paraphrases of each other, that say the same.

    None where fewer than two items have answers.
    """
    pairs = [
        pair
        for one, other in combinations(answers_by_item.values(), 2)
        for pair in ((a, b) for a in one for b in other)
    ]
    return sum(map(_agree, pairs)) / len(pairs) if pairs else None


def comparable_answer(item: DatasetItem, answer: str | None) -> str | None:
    """Return what can be compared between an item's repeats and its paraphrases.

    A choice counts by its text, since a paraphrase may have its choices in another order; any other answer by what the
    scorer read out of the reply.
    """
    if answer is None or item.scorer != "choice" or answer not in item.labels:
        return answer
    return normalize(item.choices[item.labels.index(answer)])


def _agree(pair: tuple[str | None, str | None]) -> bool:
    return pair[0] is not None and pair[0] == pair[1]
