"""Scores with a known truth, for simulated coverage: independent, or alike within clusters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroforge.statistics.bootstrap import Resample, draw_counts, resample_means
from neuroforge.statistics.clusters import Clusters, find_clusters
from neuroforge.statistics.pairs import Pairs

Floats = NDArray[np.float64]
Draw = Callable[[tuple[int, ...]], Floats]
SIZES = (30, 100, 300)
N_RUNS = 2000
SEED = 20261129
N_RESAMPLES = 999
"""Fewer than the product's 4,999, for time; `experiment_coverage` measures what that changes."""
N_BLOCKS = 20


@dataclass(frozen=True)
class Design:
    """How values hang together."""

    name: str
    n: int
    """Values."""
    size: int = 1
    """Of a cluster."""
    correlation: float = 0.0
    """Of two values of a cluster."""

    @property
    def clusters(self) -> Clusters:
        labels = None if self.size == 1 else (np.arange(self.n) // self.size).tolist()
        return find_clusters(labels, self.n)


def single(n: int) -> Design:
    return Design("independent", n)


def grouped(n: int) -> list[Design]:
    """n items in passages of five: 6, 20 or 60 clusters."""
    return [Design(f"groups of 5, correlation {one:g}", n, 5, one) for one in (0.0, 0.3)]


def repeated(n: int) -> list[Design]:
    """n items asked three times each: n clusters."""
    return [Design(f"3 repeats, correlation {one:g}", 3 * n, 3, one) for one in (0.0, 0.3)]


def draw_values(draw: Draw, design: Design, rng: np.random.Generator, n_runs: int = N_RUNS) -> Floats:
    """Draw (n_runs, n); a value is its cluster's own with probability sqrt(correlation), which makes it that alike."""
    own = draw((n_runs, design.n))
    if design.size == 1:
        return own
    shared = np.repeat(draw((n_runs, design.n // design.size)), design.size, axis=1)
    return np.where(rng.random(own.shape) < np.sqrt(design.correlation), shared, own)


def coins(p: float, rng: np.random.Generator) -> Draw:
    return lambda shape: (rng.random(shape) < p).astype(float)


def grades(p: float, rng: np.random.Generator) -> Draw:
    """Beta(2p, 2(1 - p)): skewed towards the near end of 0..1."""
    return lambda shape: rng.beta(2 * p, 2 * (1 - p), shape)


def differences(discordance: float, tilt: float, rng: np.random.Generator, graded: bool) -> Draw:
    """Differences that are 0 but for a share; of those, (1 + tilt) / 2 are wins, of size 1 or uniform."""

    def draw(shape: tuple[int, ...]) -> Floats:
        differ = rng.random(shape) < discordance
        sign = np.where(rng.random(shape) < (1 + tilt) / 2, 1.0, -1.0)
        return np.where(differ, sign * (rng.random(shape) if graded else 1.0), 0.0)

    return draw


def resample_each(
    values: Floats, clusters: Clusters, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Iterator[Resample]:
    """Resample each row; a twentieth of the rows share the units drawn, for time."""
    size = values.shape[1] // clusters.n
    for block in np.array_split(values, min(N_BLOCKS, len(values))):
        counts = np.concatenate(list(draw_counts(clusters.n, n_resamples, rng)))
        sums = block.reshape(len(block), clusters.n, size).sum(axis=2).T
        means = resample_means(sums, clusters.sizes, counts)
        for column in range(len(block)):
            yield Resample(sums[:, column], clusters.sizes, means[:, column])


def pairs_of(row: Floats, graded: bool, clusters: Clusters) -> Pairs:
    """Make pairs with these differences: scores of 0 and 1, or grades with something in common."""
    base = (1 - np.abs(row)) / 2 if graded else 0.0
    return Pairs(np.maximum(row, 0.0) + base, np.maximum(-row, 0.0) + base, clusters, (-1.0, 1.0))


def are_scored(pairs: Pairs) -> bool:
    """Whether Tango's score judges them, and not the bootstrap."""
    return pairs.are_binary or pairs.are_sparse
