"""Simulated coverage of every interval, 2,000 runs a cell, fixed seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from neuroforge.statistics.agreement import cohens_kappa
from neuroforge.statistics.bootstrap import Resample
from neuroforge.statistics.clusters import Clusters
from neuroforge.statistics.interval import LEVEL, Interval, normal_quantile
from neuroforge.statistics.means import FEW_UNITS_ON_A_SCALE, bootstrap_interval
from neuroforge.statistics.pairs import Pairs, difference_interval, score_counts
from neuroforge.statistics.proportions import effective_wilson_interval, proportion_interval
from neuroforge.statistics.score_interval import tango_bounds
from tests.benchmarks.experiment_draws import (
    N_RESAMPLES,
    N_RUNS,
    SEED,
    SIZES,
    Design,
    Floats,
    are_scored,
    coins,
    differences,
    draw_values,
    grades,
    grouped,
    pairs_of,
    repeated,
    resample_each,
    single,
)
from tests.benchmarks.figures import Figure, at_least, at_most, write_figures

SHARES = tuple(round(0.1 * k, 1) for k in range(1, 10))
GRADES = (0.1, 0.3, 0.5, 0.7, 0.9)
KAPPA = 0.5
SCALE = (0.0, 1.0)


@dataclass(frozen=True)
class Cell:
    """How often an interval held the truth at one point of the grid."""

    family: str
    label: str
    coverage: float
    width: float


def run() -> list[Figure]:
    """Return coverage and width by family; every cell goes to `coverage_cells.json`."""
    families = (_proportions, _graded_means, _paired, _kappas)
    cells = [cell for k, family in enumerate(families) for cell in family(np.random.default_rng([SEED, k]))]
    rows = [
        Figure(f"{one.family}: {one.label}: {what}", value, "share")
        for one in cells
        for what, value in (("coverage", one.coverage), ("width", one.width))
    ]
    write_figures("coverage_cells", rows)
    figures = [figure for family in dict.fromkeys(one.family for one in cells) for figure in _summary(family, cells)]
    return [*figures, *_compare_resamples(np.random.default_rng(SEED))]


def _summary(family: str, cells: list[Cell]) -> Iterator[Figure]:
    own = [one for one in cells if one.family == family]
    average, least = float(np.mean([one.coverage for one in own])), min(one.coverage for one in own)
    width = float(np.mean([one.width for one in own]))
    if family.startswith("conservative"):
        yield at_least(f"{family}: coverage, least of {len(own)} cells", least, "share", 0.94)
    else:
        holds = 0.935 <= average <= 0.97
        yield Figure(f"{family}: coverage, mean of {len(own)} cells", average, "share", ".935 to .97", holds)
        yield at_least(f"{family}: coverage, least", least, "share", 0.91)
    yield Figure(f"{family}: width, mean", width, "share")


def _measure(family: str, label: str, intervals: list[Interval], truth: float) -> Cell:
    held = np.mean([one.low <= truth <= one.high for one in intervals])
    return Cell(family, label, float(held), float(np.mean([one.high - one.low for one in intervals])))


def _each(values: Floats, interval_of: Callable[[Floats], Interval]) -> list[Interval]:
    return [interval_of(row) for row in values]


def _proportions(rng: np.random.Generator) -> Iterator[Cell]:
    for n in SIZES:
        by_count = [proportion_interval(count, n) for count in range(n + 1)]
        for p in SHARES:
            counts = rng.binomial(n, p, N_RUNS)
            yield _measure("proportion", f"n={n} p={p:g}", [by_count[one] for one in counts], p)
        for family, designs in (("proportion in groups", grouped(n)), ("proportion with repeats", repeated(n))):
            for design in designs:
                clusters = design.clusters
                for p in SHARES:
                    values = draw_values(coins(p, rng), design, rng)
                    found = _each(values, lambda row, c=clusters: effective_wilson_interval(row, c, SCALE))
                    yield _measure(family, f"n={n} {design.name} p={p:g}", found, p)


def _graded_means(rng: np.random.Generator) -> Iterator[Cell]:
    for n in SIZES:
        for design in (single(n), *grouped(n)):
            family = "graded mean" if design.size == 1 else "graded mean in groups"
            clusters = design.clusters
            for p in GRADES:
                values = draw_values(grades(p, rng), design, rng)
                if clusters.n < FEW_UNITS_ON_A_SCALE:
                    found = _each(values, lambda row, c=clusters: effective_wilson_interval(row, c, SCALE))
                else:
                    found = [bootstrap_interval(drawn, SCALE) for drawn in resample_each(values, clusters, rng)]
                yield _measure(family, f"n={n} {design.name} mean={p:g}", found, p)


def _paired(rng: np.random.Generator) -> Iterator[Cell]:
    for n in SIZES:
        for design in (single(n), *grouped(n)):
            for discordance in (0.1, 0.3, 1.0):
                for tilt in (0.0, 0.5):
                    for graded in (False, True) if discordance < 1 else (True,):
                        yield _paired_cell(design, discordance, tilt, graded, rng)


def _paired_cell(design: Design, discordance: float, tilt: float, graded: bool, rng: np.random.Generator) -> Cell:
    values = draw_values(differences(discordance, tilt, rng, graded), design, rng)
    clusters = design.clusters
    pairs = [pairs_of(row, graded, clusters) for row in values]
    scored = [one for one in pairs if are_scored(one)]
    found = [bootstrap_interval(drawn, (-1.0, 1.0)) for drawn in _resampled(values, pairs, clusters, rng)]
    if scored:
        scales, counts = zip(*(score_counts(one) for one in scored), strict=True)
        lows, highs = np.array(scales) * np.array(tango_bounds(*np.array(counts).T, normal_quantile(LEVEL)))
        means = [float(one.differences.mean()) for one in scored]
        found += [Interval(m, low, high, design.n, "") for m, low, high in zip(means, lows, highs, strict=True)]
        product = difference_interval(scored[-1], rng=rng)
        if not np.allclose((product.low, product.high), (lows[-1], highs[-1])):
            raise AssertionError("all at once gives other intervals than one by one")
    family = f"{'graded' if graded else 'binary'} difference{'' if design.size == 1 else ' in groups'}"
    label = f"n={design.n} {design.name} discordance={discordance:g} tilt={tilt:g}"
    return _measure(family, label, found, discordance * tilt * (0.5 if graded else 1.0))


def _resampled(values: Floats, pairs: list[Pairs], clusters: Clusters, rng: np.random.Generator) -> Iterator[Resample]:
    dense = np.array([not are_scored(one) for one in pairs])
    return resample_each(values[dense], clusters, rng) if dense.any() else iter(())


def _kappas(rng: np.random.Generator) -> Iterator[Cell]:
    """Two raters of three labels who agree on a share and else say anything: kappa is that share."""
    for n in SIZES:
        found = []
        for _ in range(N_RUNS):
            first, other = rng.integers(0, 3, n), rng.integers(0, 3, n)
            second = np.where(rng.random(n) < KAPPA, first, other)
            found.append(cohens_kappa(first.tolist(), second.tolist()))
        yield _measure("kappa", f"n={n} kappa={KAPPA:g}", found, KAPPA)


def _compare_resamples(rng: np.random.Generator) -> Iterator[Figure]:
    """The same data through 999 and 4,999 resamples."""
    design = single(100)
    clusters, values = design.clusters, draw_values(grades(0.1, rng), design, rng)
    held = {}
    for n_resamples in (N_RESAMPLES, 4999):
        found = [bootstrap_interval(one, SCALE) for one in resample_each(values, clusters, rng, n_resamples)]
        held[n_resamples] = _measure("", "", found, 0.1)
    few, many = held[N_RESAMPLES], held[4999]
    yield at_most("4,999 resamples for 999: coverage differs by", abs(many.coverage - few.coverage), "share", 0.01)
    yield Figure("4,999 resamples for 999: width is times", many.width / few.width, "ratio")
