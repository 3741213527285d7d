"""Outcome files -> what a router fitted on them scores on questions it has not seen, how sure it is, how fast."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.fit import kernel
from neuroforge.router.fit.curve import cost_at, measure_strong_share, trace_curve
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.evaluate import evaluate_outcomes, time_decisions
from neuroforge.router.fit.intervals import estimate, measure_calibration
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.limits import limited
from tests.benchmarks.router_data import STRONG, generate, load_mmlu, load_nine

Floats = NDArray[np.float64]

N_FOLDS, K = 5, 200
N_LABELS, N_SEEDS = 1_500, 5
N_TIMED = 1_000


class OutOfFold(NamedTuple):
    """Predictions for every training row by a router that has not seen it, (n, n_models) each."""

    quality: Floats
    low: Floats
    high: Floats
    task_prior: Floats
    nearest: Floats


def run(data: Path | None, embedder: StaticEmbedder) -> list[Figure]:
    """Measure on the public files in `data`, else on generated outcomes without the public targets."""
    if data is None:
        return [*_measure_folds("generated", generate(3_000), embedder), *_measure_speed(generate(6_250), embedder)]
    train, test = load_nine(data)
    figures = _measure_folds("llmrouter-9models", train, embedder)
    figures += _measure_clean_test(train, test, embedder)
    figures += _measure_mmlu(load_mmlu(data), embedder)
    return figures + _measure_speed(train, embedder)


def split_folds(n: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return (train rows, test rows) of scikit-learn's KFold(5, shuffle=True, random_state=0)."""
    order = np.arange(n)
    np.random.RandomState(0).shuffle(order)
    parts = np.array_split(order, N_FOLDS)
    return [(np.sort(np.concatenate([*parts[:i], *parts[i + 1 :]])), np.sort(part)) for i, part in enumerate(parts)]


def predict_out_of_fold(table: OutcomeTable, features: FeatureMatrix, sha256: str) -> OutOfFold:
    """Return every row's predictions by the router of the other folds; it chooses its settings in those alone."""
    found = OutOfFold(*(np.zeros(table.scores.shape) for _ in OutOfFold._fields))
    for train, test in split_folds(len(table)):
        fitted = fit_router(table.take(train), features.take(train), sha256)
        own = features.take(test)
        prediction = fitted.predict(own)
        found.quality[test], found.low[test], found.high[test] = prediction.quality, prediction.low, prediction.high
        # A task classifier's probabilities times the mean score by task: the strongest simple rival.
        shares = fitted.basis(own)[:, : len(fitted.tasks)] + 1 / len(fitted.tasks)
        found.task_prior[test] = fitted.combination.means + shares @ fitted.task_scores
        similarity = own.embedding @ features.embedding[train].T
        nearest = np.argpartition(-similarity, K, axis=1)[:, :K]
        found.nearest[test] = table.scores[train][nearest].mean(axis=1)
    return found


def _measure_folds(name: str, table: OutcomeTable, embedder: StaticEmbedder) -> list[Figure]:
    features = extract_queries(table.queries, embedder)
    found = predict_out_of_fold(table, features, embedder.sha256)
    router, nearest, prior = (_value(one, table) for one in (found.quality, found.nearest, found.task_prior))
    best = table.scores.mean(axis=0).max()
    best_model = int(table.scores.mean(axis=0).argmax())
    flat = measure_calibration(*(one.ravel() for one in (found.quality, found.low, found.high, table.scores)))
    mean = estimate(router)
    is_public = name != "generated"
    with limited(kernel, "MAX_EXACT", 0):
        by_landmarks = _value(predict_out_of_fold(table, features, embedder.sha256).quality, table)
    figures = [
        at_least(f"{name}: router, nested CV", mean.mean, "score", 0.670) if is_public else _plain(name, mean.mean),
        Figure(f"{name}: router, low end", mean.low, "score"),
        Figure(f"{name}: router, high end", mean.high, "score"),
        Figure(f"{name}: best single", float(best), "score"),
        Figure(f"{name}: kNN k={K}", float(nearest.mean()), "score"),
        Figure(f"{name}: soft task prior", float(prior.mean()), "score"),
        Figure(f"{name}: oracle", float(table.scores.max(axis=1).mean()), "score"),
        at_least(f"{name}: router - kNN, low end", estimate(router - nearest).low, "score", 0.0),
        at_least(f"{name}: router - soft task prior, low end", estimate(router - prior).low, "score", 0.0),
        Figure(
            f"{name}: exact kernel - {kernel.N_LANDMARKS} landmarks", float((router - by_landmarks).mean()), "score"
        ),
        at_most(f"{name}: ECE out of fold", flat.ece, "", 0.05),
        at_least(f"{name}: 90 % intervals cover", flat.coverage, "", 0.87),
        at_most(f"{name}: 90 % intervals cover, upper", flat.coverage, "", 0.93),
    ]
    assert table.costs_usd is not None
    expected = table.costs_usd.mean(axis=0)
    parity = cost_at(trace_curve(found.quality, expected, table.scores, table.costs_usd), float(best))
    share = float("inf") if parity is None else parity / float(expected[best_model])
    figures.append(at_most(f"{name}: cost share at parity with best single", share, "", 0.22 if is_public else 1.0))
    return figures


def _measure_clean_test(train: OutcomeTable, test: OutcomeTable, embedder: StaticEmbedder) -> list[Figure]:
    found = evaluate_outcomes(train, test, embedder)
    return [
        Figure("llmrouter-9models: router, clean test", found.router.mean, "score"),
        Figure("llmrouter-9models: kNN, clean test", found.knn.mean, "score"),
        Figure("llmrouter-9models: best single, clean test", found.best_single.mean, "score"),
        at_least("llmrouter-9models: router - kNN, clean test, high end", found.router_minus_knn.high, "score", 0.0),
        Figure("llmrouter-9models: router - kNN, clean test, low end", found.router_minus_knn.low, "score"),
    ]


def _measure_mmlu(table: OutcomeTable, embedder: StaticEmbedder) -> list[Figure]:
    features = extract_queries(table.queries, embedder)
    strong = table.model_ids.index(STRONG)
    shares, calibrations = [], []
    for seed in range(N_SEEDS):
        order = np.random.default_rng(seed).permutation(len(table))
        labelled, rest = order[:N_LABELS], order[N_LABELS:]
        fitted = fit_router(table.take(labelled), features.take(labelled), embedder.sha256)
        found, real = fitted.predict(features.take(rest)), table.scores[rest]
        preference = found.quality[:, strong] - found.quality[:, 1 - strong]
        shares.append(measure_strong_share(preference, real[:, 1 - strong], real[:, strong]))
        calibrations.append(measure_calibration(*(one.ravel() for one in (found.quality, found.low, found.high, real))))
    return [
        at_least("RouteLLM MMLU: APGR", float(np.mean([one.apgr for one in shares])), "", 0.645),
        Figure("RouteLLM MMLU: CPT50", float(np.mean([one.cpt50 for one in shares])), ""),
        Figure("RouteLLM MMLU: CPT80", float(np.mean([one.cpt80 for one in shares])), ""),
        at_most("RouteLLM MMLU: ECE", float(np.mean([one.ece for one in calibrations])), "", 0.05),
        at_least("RouteLLM MMLU: 90 % intervals cover", float(np.mean([c.coverage for c in calibrations])), "", 0.87),
        at_most("RouteLLM MMLU: 90 % intervals cover, upper", max(c.coverage for c in calibrations), "", 0.93),
    ]


def _measure_speed(table: OutcomeTable, embedder: StaticEmbedder) -> list[Figure]:
    stored = table.take(np.arange(min(len(table), 5_000)))
    others = np.arange(len(stored), len(table))
    fitted = fit_router(stored, extract_queries(stored.queries, embedder), embedder.sha256)
    times = time_decisions(fitted, table.take(others).queries[:N_TIMED], embedder)
    long = time_decisions(fitted, ("word salad " * 95_000,) * 100, embedder)
    return [
        at_most("decision, 5,000 outcomes, 9 models: p50", times.p50_s * 1e3, "ms", 1.5),
        at_most("decision, 5,000 outcomes, 9 models: p99", times.p99_s * 1e3, "ms", 5.0),
        at_most("decision on a 1 MB prompt: p99", long.p99_s * 1e3, "ms", 20.0),
    ]


def _value(quality: Floats, table: OutcomeTable) -> Floats:
    return np.asarray(table.scores[np.arange(len(table)), quality.argmax(axis=1)])


def _plain(name: str, value: float) -> Figure:
    return Figure(f"{name}: router, nested CV", value, "score")
