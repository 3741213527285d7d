"""Training and test outcomes -> what the router, its rivals and its bounds score, at what cost, how sure, how fast."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.fit.curve import cost_at, measure_aiq, measure_strong_share, trace_curve
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.intervals import Estimate, estimate, measure_calibration
from neuroforge.router.fit.knn import NearestRouter
from neuroforge.router.fit.model import FittedRouter, QualityPrediction
from neuroforge.router.fit.pipeline import Progress, extract_queries, fit_router
from neuroforge.router.fit.report import BestSingle, Curve, DecisionTime, Evaluation, Nearest, TwoModels

Floats = NDArray[np.float64]

N_TIMED = 300
STRONG_SHARE = "share of calls to the stronger model"


class _Choices(NamedTuple):
    """Scores of the test rows by who chose; (n,) each."""

    random: Floats
    nearest: Floats
    router: Floats
    oracle: Floats


def evaluate_outcomes(
    train: OutcomeTable,
    test: OutcomeTable,
    embedder: StaticEmbedder,
    progress: Progress | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return the evaluation of a router fitted on `train`; nothing of `test` is used before it is scored.

    Where a test row knows the scores of some models only, every router chooses among these.

    Raises:
        DataError: The two files share no model.
    """
    shared = [model for model in train.model_ids if model in test.model_ids]
    if not shared:
        raise DataError(f"train has {', '.join(train.model_ids)}, test {', '.join(test.model_ids)}: no model in common")
    left_out = tuple(sorted({*train.model_ids, *test.model_ids} - set(shared)))
    train, test = train.select_models(shared), test.select_models(shared)
    train_features = extract_queries(train.queries, embedder, progress)
    started_s = time.perf_counter()
    fitted = fit_router(train, train_features, embedder.sha256, seed, progress)
    fit_s = time.perf_counter() - started_s
    test_features = extract_queries(test.queries, embedder, progress)
    predicted = fitted.predict(test_features)
    nearest = NearestRouter(train, train_features.embedding, seed)
    choices = _choose(test, predicted.quality, nearest.predict(test_features.embedding))
    best = int(np.argmax(fitted.combination.means))
    known = test.is_known
    of_best = known[:, best]
    if not of_best.any():
        raise DataError(f"test has no score of {shared[best]}, the best single model of train")
    best_scores = test.scores[of_best, best]
    flat = [array[known] for array in (predicted.quality, predicted.low, predicted.high, test.scores)]
    seen = set(train.queries)
    return Evaluation(
        n_train=len(train),
        n_test=len(test),
        n_test_seen_in_train=sum(query in seen for query in test.queries),
        left_out_models=left_out,
        random=estimate(choices.random),
        singles={model: _single(test, index) for index, model in enumerate(shared) if known[:, index].any()},
        best_single=BestSingle(model=shared[best], **estimate(best_scores).model_dump()),
        knn=Nearest(k=nearest.k, **estimate(choices.nearest).model_dump()),
        router=estimate(choices.router),
        oracle=estimate(choices.oracle),
        router_minus_best_single=estimate(choices.router[of_best] - best_scores),
        router_minus_knn=estimate(choices.router - choices.nearest),
        curve=_draw_curve(train, test, predicted, best),
        two_models=_compare_two(train, test, predicted),
        calibration=measure_calibration(*flat),
        decision=time_decisions(fitted, test.queries[:N_TIMED], embedder),
        fit_s=fit_s,
    )


def choose_models(quality: Floats, is_known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return each row's model of the highest expected quality among those with a known score."""
    return np.asarray(np.argmax(np.where(is_known, quality, -np.inf), axis=1), dtype=np.intp)


def time_decisions(
    fitted: FittedRouter,
    queries: tuple[str, ...],
    embedder: StaticEmbedder,
    clock: Callable[[], float] = time.perf_counter,
) -> DecisionTime:
    """Return how long one question takes from its text to the chosen model, one at a time, after one to warm up."""
    fitted.predict(extract_texts(queries[:1], embedder))
    took_s = []
    for query in queries:
        started_s = clock()
        int(np.argmax(fitted.predict(extract_texts([query], embedder)).quality))
        took_s.append(clock() - started_s)
    p50, p99 = np.quantile(took_s, [0.5, 0.99])
    return DecisionTime(p50_s=float(p50), p99_s=float(p99), n=len(took_s))


def _choose(test: OutcomeTable, quality: Floats, by_nearest: Floats) -> _Choices:
    rows, known = np.arange(len(test)), test.is_known
    return _Choices(
        random=(test.scores * known).sum(axis=1) / known.sum(axis=1),
        nearest=test.scores[rows, choose_models(by_nearest, known)],
        router=test.scores[rows, choose_models(quality, known)],
        oracle=np.where(known, test.scores, -np.inf).max(axis=1),
    )


def _single(test: OutcomeTable, model: int) -> Estimate:
    return estimate(test.scores[test.is_known[:, model], model])


def _draw_curve(train: OutcomeTable, test: OutcomeTable, predicted: QualityPrediction, best: int) -> Curve | None:
    """Return the curve; None without costs, except for two models, where calls to the stronger one are counted."""
    costs, unit = _costs(train, test)
    if costs is None:
        return None
    expected = costs.mean(axis=0) if train.costs_usd is None else train.costs_usd.mean(axis=0)
    allowed = np.where(test.is_known, predicted.quality, -np.inf)
    points = trace_curve(allowed, expected, test.scores, costs)
    singles = {
        model: (float(costs[known, index].mean()), float(test.scores[known, index].mean()))
        for index, (model, known) in enumerate(zip(test.model_ids, test.is_known.T, strict=True))
        if known.any()
    }
    best_cost, best_score = singles[test.model_ids[best]]
    parity = cost_at(points, best_score)
    return Curve(
        unit=unit,
        points=tuple(points),
        singles=singles,
        aiq=measure_aiq(points, float(expected.min()), float(expected.max())),
        best_single_cost=best_cost,
        cost_at_parity=parity,
        parity_share=parity / best_cost if parity is not None and best_cost > 0 else None,
    )


def _costs(train: OutcomeTable, test: OutcomeTable) -> tuple[Floats | None, str]:
    if test.costs_usd is not None:
        return test.costs_usd, "USD"
    if train.costs_usd is not None:
        return np.tile(train.costs_usd.mean(axis=0), (len(test), 1)), "USD"
    if len(train.model_ids) == 2:
        strong = int(np.argmax(_means(train)))
        return np.tile(np.eye(2)[strong], (len(test), 1)), STRONG_SHARE
    return None, ""


def _means(table: OutcomeTable) -> Floats:
    return np.asarray((table.scores * table.is_known).sum(axis=0) / np.maximum(table.is_known.sum(axis=0), 1))


def _compare_two(train: OutcomeTable, test: OutcomeTable, predicted: QualityPrediction) -> TwoModels | None:
    """Return RouteLLM's metrics on the rows that know both models; None if there are not two, or no gap to recover."""
    if len(test.model_ids) != 2:
        return None
    strong = int(np.argmax(_means(train)))
    weak = 1 - strong
    rows = test.is_known.all(axis=1)
    scores, quality = test.scores[rows], predicted.quality[rows]
    if not rows.any() or scores[:, strong].mean() <= scores[:, weak].mean():
        return None
    share = measure_strong_share(quality[:, strong] - quality[:, weak], scores[:, weak], scores[:, strong])
    return TwoModels(weak=test.model_ids[weak], strong=test.model_ids[strong], **share._asdict())
