"""Answers to the same question -> how far a variant agrees with itself over repeats and paraphrases."""

from collections import Counter

import numpy as np

from neuroforge.experiments.table import CellTable, Floats


def measure_consistency(table: CellTable) -> Floats:
    """Return (n_items, n_variants): share of pairs of answers to a question that are the same; NaN = no pair.

    A question's repeats and paraphrases count together, in the row of the first of its paraphrases. Failed calls give
    no pair.
    """
    agreement = np.full((len(table.items), len(table.variant_ids)), np.nan)
    first_item: dict[int, int] = {}
    for item, question in enumerate(table.paraphrases.tolist()):
        first_item.setdefault(question, item)
    answers: dict[tuple[int, int], Counter[int]] = {}
    for cell in np.flatnonzero(~table.is_error):
        item = first_item[int(table.paraphrases[table.item_of[cell]])]
        answers.setdefault((item, int(table.variant_of[cell])), Counter())[int(table.answer_keys[cell])] += 1
    for place, counts in answers.items():
        n = counts.total()
        if n > 1:
            agreement[place] = sum(count * (count - 1) for count in counts.values()) / (n * (n - 1))
    return agreement
