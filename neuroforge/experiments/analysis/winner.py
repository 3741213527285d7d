"""Quality -> rank intervals and the winner, if there is one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.analysis import Comparison
from neuroforge.experiments.analysis.draws import make_rng
from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.statistics.multiple import holm
from neuroforge.statistics.ranks import rank_intervals, select_best


def find_winner(metric: Metric, variant_ids: Sequence[str], items: NDArray[np.bool_], seed: int) -> str | None:
    """Return the variant that beats every other one, Holm-corrected over these comparisons; None = the data names none.

    A variant without any value cannot win, and cannot be beaten: while one is missing there is no winner.
    """
    known = metric.known(items)
    if len(variant_ids) < 2 or not known.any(axis=0).all() or not _are_comparable(known, metric.clusters):
        return None
    values = np.where(known, metric.values, np.nan)[items]
    signed = values if metric.is_higher_better else -values
    best = select_best(signed, metric.clusters[items], metric.bounds, rng=make_rng(seed, "winner", metric.name))
    return None if best.winner is None else variant_ids[best.winner]


def find_ranks(
    metric: Metric, means: Sequence[float | None], variant_ids: Sequence[str], comparisons: Sequence[Comparison]
) -> dict[str, tuple[int, int]]:
    """Return the 95 % interval of each variant's rank, all of them together; empty where a pair was not compared.

    Args:
        means: Of the variants, in their order.
        comparisons: Of this metric on one scope.
    """
    n = len(variant_ids)
    if n < 2 or len(comparisons) != n * (n - 1) // 2 or any(one is None for one in means):
        return {}
    p_values = np.ones((n, n))
    for one, p in zip(comparisons, holm([one.p_value for one in comparisons]), strict=True):
        a, b = variant_ids.index(one.a), variant_ids.index(one.b)
        p_values[a, b] = p_values[b, a] = p
    signs = 1.0 if metric.is_higher_better else -1.0
    intervals = rank_intervals(signs * np.array(means, dtype=np.float64), p_values)
    return dict(zip(variant_ids, intervals, strict=True))


def _are_comparable(known: NDArray[np.bool_], clusters: NDArray[np.int64]) -> bool:
    n = known.shape[1]
    pairs = ((a, b) for a in range(n) for b in range(a + 1, n))
    return all(len(np.unique(clusters[known[:, a] & known[:, b]])) > 1 for a, b in pairs)
