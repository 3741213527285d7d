"""Values that come in clusters (repeats of an item, items of a passage) -> sums by cluster, and what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from neuroforge.errors import DataError
from neuroforge.statistics.interval import LEVEL, normal_quantile

Labels = Sequence[object] | NDArray[np.generic]


@dataclass(frozen=True)
class Clusters:
    """Which cluster each value belongs to."""

    index: NDArray[np.int64]
    """(n,), 0 .. n_clusters - 1."""
    sizes: NDArray[np.float64]
    """(n_clusters,), values in each; >= 1."""

    @property
    def n(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    @property
    def are_single(self) -> bool:
        """Whether every value is a cluster of its own, so that they are independent."""
        return self.n == len(self.index)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the values of each cluster: (n,) -> (n_clusters,)."""
        return np.bincount(self.index, weights=values, minlength=self.n).astype(float)


def find_clusters(labels: Labels | None, n: int) -> Clusters:
    """Number the clusters; None = every value is one.

    Args:
        labels: (n,), anything hashable: equal labels share a cluster.
    Raises:
        DataError: Not n labels.
    """
    if labels is None:
        return Clusters(np.arange(n), np.ones(n))
    if len(labels) != n:
        raise DataError(f"{len(labels)} cluster labels for {n} values: one for each is needed")
    numbers: dict[object, int] = {}
    index = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)
    return Clusters(index, np.bincount(index, minlength=len(numbers)).astype(float))


def effective_size(values: NDArray[np.float64], clusters: Clusters, variance: float, limit: float) -> float:
    """How many independent values would say as much, with the fewer degrees of freedom of few clusters taken off.

    For 95 % intervals of a mean on a scale. Where the values do not vary, nothing tells how alike a cluster's are: each
    cluster counts as one.

    Args:
        values: (n,).
        clusters: Of the same n.
        variance: Of one value, if all were independent.
        limit: Never say more than this: n where `variance` is what was seen, infinity where it is only the scale's.
    Raises:
        DataError: One cluster only, with more than one value: nothing tells how clusters differ.
    Source: Korn and Graubard, Survey Methodology 24 (1998), 193-201.
    """
    n = len(values)
    if clusters.are_single and n == 1:
        return 1.0
    variance_of_mean = _variance_of_mean(values, clusters)
    if variance <= 0 or np.ptp(values) == 0:
        return clusters.n * _worth(clusters.n - 1)
    return _worth(clusters.n - 1) * (
        min(limit, n) if variance_of_mean <= 0 else min(limit, variance / variance_of_mean)
    )


def moderated_size(values: NDArray[np.float64], clusters: Clusters) -> float:
    """How many independent values would say as much, for 95 % intervals of a mean difference.

    The variance between clusters is averaged with what independent values would have, which counts as much as one more
    cluster. So it is never 0, and need not be kept from falling below that of independent values, which makes intervals
    from few clusters too wide: docs/decisions/143. Where the values do not vary, each cluster counts as one.

    Args:
        values: (n,).
        clusters: Of the same n.
    Raises:
        DataError: One cluster only.
    Source: Smyth, SAGMB 3 (2004), article 3, equation 3 (moderated t), with one prior degree of freedom.
    """
    n, freedom = len(values), clusters.n - 1
    between = _variance_of_mean(values, clusters)
    if np.ptp(values) == 0:
        return clusters.n * _worth(freedom)
    design_effect = (1 + freedom * between / (float(values.var()) / n)) / (1 + freedom)
    return n / design_effect * _worth(freedom + 1)


def _variance_of_mean(values: NDArray[np.float64], clusters: Clusters) -> float:
    """Return the variance of the mean as sums of clusters tell it."""
    n = len(values)
    if clusters.n < 2:
        raise DataError(f"all {n} values share one cluster: an interval needs at least two")
    residuals = clusters.sums(values - values.mean())
    return clusters.n / (clusters.n - 1) * float(residuals @ residuals) / n**2


def _worth(freedom: int) -> float:
    """Return what share of the values is left when normal quantiles stand for those of t."""
    return (normal_quantile(LEVEL) / float(stdtrit(freedom, (1 + LEVEL) / 2))) ** 2
