"""Quality by dataset -> whether variants rank differently across datasets, in a sentence."""

from collections.abc import Sequence

import numpy as np

from neuroforge.contracts.analysis import MetricSummary
from neuroforge.statistics.ranks import ALPHA, friedman


def compare_across(variant_ids: Sequence[str], summaries: Sequence[MetricSummary]) -> str | None:
    """Return Friedman's test over the datasets on which every variant was scored, and what Nemenyi's separates.

    None with fewer than three variants or two such datasets.
    """
    means: dict[str, dict[str, float]] = {}
    for one in summaries:
        if one.metric == "quality" and one.dataset is not None and one.estimate is not None:
            means.setdefault(one.dataset, {})[one.variant_id] = one.estimate.mean
    complete = [found for found in means.values() if len(found) == len(variant_ids)]
    if len(variant_ids) < 3 or len(complete) < 2:
        return None
    test = friedman(np.array([[found[one] for one in variant_ids] for found in complete]))
    order = np.argsort(test.mean_ranks, kind="stable")
    ranks = ", ".join(f"{variant_ids[index]} {test.mean_ranks[index]:.2f}" for index in order)
    head = f"Mean ranks over {len(complete)} datasets: {ranks}. Friedman's test: p={test.p_value:.3g}"
    if test.p_value > ALPHA:
        return f"{head}: no difference across datasets shown, which so few of them seldom could."
    if not test.separated:
        return f"{head}: they differ, but Nemenyi's test separates no pair (critical {test.critical_difference:.2f})."
    pairs = ", ".join(f"{variant_ids[a]} before {variant_ids[b]}" for a, b in test.separated)
    return f"{head}; Nemenyi's test (critical difference {test.critical_difference:.2f}) separates {pairs}."
