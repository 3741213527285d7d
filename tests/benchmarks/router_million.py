"""A million generated outcomes -> time and memory of the fit, decisions, and what its approximations lose.

Above 6,000 rows the kernel sees landmarks instead of all rows; above 200,000 the regressions see a part of the rows.
Each is compared with what it stands for, on the largest table on which that can be done in minutes.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.fit import kernel, others
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.evaluate import time_decisions
from neuroforge.router.fit.intervals import estimate
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.limits import limited
from tests.benchmarks.router_data import generate

Floats = NDArray[np.float64]

N_ROWS, N_TEST, N_TIMED = 1_000_000, 20_000, 1_000
N_EXACT = 5_000
"""Rows of the comparison with the exact kernel."""
N_PART, N_WHOLE = 10_000, 40_000
"""Rows of the comparison of a part with the whole: a million of which 200,000 are fitted, made small."""


def run(embedder: StaticEmbedder, n: int = N_ROWS) -> list[Figure]:
    """Measure a router on `n` outcomes."""
    test = generate(N_TEST, seed=1)
    table = generate(n)
    features, features_s = _timed(lambda: extract_queries(table.queries, embedder))
    before_gib = _peak_gib()
    fitted, fit_s = _timed(lambda: fit_router(table, features, embedder.sha256, progress=_tell))
    times = time_decisions(fitted, test.queries[:N_TIMED], embedder)
    score = estimate(_chosen(fitted, extract_queries(test.queries, embedder), test))
    return [
        at_most(f"{n} outcomes: decision p50", times.p50_s * 1e3, "ms", 5.0),
        Figure(f"{n} outcomes: decision p99", times.p99_s * 1e3, "ms"),
        Figure(f"{n} outcomes: features", features_s, "s"),
        Figure(f"{n} outcomes: fit", fit_s, "s"),
        Figure(f"{n} outcomes: peak memory, table and features", before_gib, "GiB"),
        Figure(f"{n} outcomes: peak memory, fit included", _peak_gib(), "GiB"),
        Figure(f"{n} outcomes: mean score", score.mean, "score"),
        Figure(f"{n} outcomes: mean score, low end", score.low, "score"),
        Figure("best single model", float(test.scores.mean(axis=0).max()), "score"),
    ]


def run_losses(embedder: StaticEmbedder) -> list[Figure]:
    """Measure what landmarks lose against all rows, and a part of the rows against the whole."""
    whole, test = generate(N_WHOLE, seed=2), generate(N_TEST, seed=1)
    test_features = extract_queries(test.queries, embedder)
    features = extract_queries(whole.queries, embedder)

    def chosen(n_rows: int) -> Floats:
        rows = np.arange(n_rows)
        return _chosen(fit_router(whole.take(rows), features.take(rows), embedder.sha256), test_features, test)

    with limited(kernel, "MAX_EXACT", N_EXACT):
        exact = chosen(N_EXACT)
    with limited(kernel, "MAX_EXACT", 0):
        loss = estimate(exact - chosen(N_EXACT))
    full = chosen(len(whole))
    with limited(others, "MAX_FITTED", N_PART):
        of_part = estimate(full - chosen(len(whole)))
    return [
        *_loss(f"generated, {N_EXACT} rows: exact less {kernel.N_LANDMARKS} landmarks", loss.mean, loss.high),
        *_loss(f"generated, {len(whole)} rows: all fitted less {N_PART} fitted", of_part.mean, of_part.high),
    ]


def _chosen(fitted: FittedRouter, features: FeatureMatrix, test: OutcomeTable) -> Floats:
    """Return (n,), what the models of the highest expected quality scored."""
    blocks = np.array_split(np.arange(len(test)), max(len(test) // 2_000, 1))
    best = np.concatenate([fitted.predict(features.take(rows)).quality.argmax(axis=1) for rows in blocks])
    return np.asarray(test.scores[np.arange(len(test)), best])


def _loss(name: str, mean: float, high: float) -> list[Figure]:
    return [Figure(name, mean, "score"), Figure(f"{name}, high end", high, "score")]


Result = TypeVar("Result")


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started_s = time.monotonic()
    return work(), time.monotonic() - started_s


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _tell(what: str, n_done: int, n_all: int) -> None:
    print(f"{what}: {n_done} of {n_all}", file=sys.stderr, flush=True)
