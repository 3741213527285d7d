"""Answers or labels given twice -> how far they agree, with an interval."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from neuroforge.errors import DataError
from neuroforge.statistics.clusters import Labels
from neuroforge.statistics.interval import Interval
from neuroforge.statistics.means import mean_interval


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> Interval:
    """Return how far two raters agree beyond chance: 1 = always, 0 = as chance would, with a 95 % interval.

    Args:
        first: (n,) labels.
        second: (n,) labels of the same items by the other rater.
    Raises:
        DataError: Lengths differ, no items, or both raters give one and the same label throughout (0 / 0).
    Source: Cohen (1960); large-sample interval of Fleiss, Cohen, Everitt (1969), by statsmodels.
    """
    if len(first) != len(second) or not first:
        raise DataError(f"kappa compares two labels an item; got {len(first)} and {len(second)}")
    number = {label: index for index, label in enumerate(dict.fromkeys([*first, *second]))}
    if len(number) < 2:
        raise DataError(f"both raters only ever say {first[0]!r}: kappa is not defined; label other items too")
    from statsmodels.stats.inter_rater import cohens_kappa as kappa_of  # a second of import

    table = np.zeros((len(number), len(number)))
    np.add.at(table, ([number[one] for one in first], [number[one] for one in second]), 1)
    with np.errstate(invalid="ignore"):  # a rater who never varies leaves a variance of 0, give or take rounding
        result = kappa_of(table)  # its interval is a 95 % one
    kappa = float(result.kappa)
    if len(set(first)) < 2 or len(set(second)) < 2:
        return Interval(kappa, -1.0, 1.0, len(first), "Cohen's kappa; no interval, since one rater never varies")
    low, high = max(-1.0, float(result.kappa_low)), min(1.0, float(result.kappa_upp))
    return Interval(kappa, min(low, kappa), max(high, kappa), len(first), "Cohen's kappa, large-sample")


def agreeing_share(answers: Sequence[Hashable]) -> float | None:
    """Return the share of pairs of answers that are equal; None below two answers."""
    n = len(answers)
    if n < 2:
        return None
    return sum(count * (count - 1) for count in Counter(answers).values()) / (n * (n - 1))


def self_agreement(
    answers_by_item: Sequence[Sequence[Hashable]], clusters: Labels | None = None, *, rng: np.random.Generator
) -> Interval:
    """Return how often a variant agrees with itself: the share of agreeing pairs of an item's answers, over items.

    Args:
        answers_by_item: (n_items,), of each item the answers to its repeats or paraphrases; items with fewer than two
            say nothing and are left out.
        clusters: (n_items,) labels: equal ones are not independent.
    Raises:
        DataError: No item has two answers.
    """
    shares = [agreeing_share(answers) for answers in answers_by_item]
    if all(one is None for one in shares):
        raise DataError(f"none of {len(shares)} items was answered twice: ask for repeats or give paraphrases")
    values = [np.nan if one is None else one for one in shares]
    return mean_interval(values, clusters, (0.0, 1.0), rng=rng)
