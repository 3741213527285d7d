from pathlib import Path

import numpy as np
import pytest

from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.fit.data import OutcomeTable, build_table
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.fit.parse import Row
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from tests.unit.router.fit.worlds import make_embedder, make_rows, make_table

QUESTIONS = ["loop bug the array of", "king of the river city"]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    directory: Path = tmp_path_factory.mktemp("embedder")
    return make_embedder(directory)


def fit(table: OutcomeTable, embedder: StaticEmbedder) -> FittedRouter:
    return fit_router(table, extract_queries(table.queries, embedder), embedder.sha256)


@pytest.fixture(scope="module")
def fitted(embedder: StaticEmbedder) -> FittedRouter:
    return fit(make_table(200), embedder)


@pytest.mark.parametrize("is_named", [True, False])
def test_each_kind_of_question_goes_to_the_model_that_is_good_at_it(embedder: StaticEmbedder, is_named: bool) -> None:
    router = fit(make_table(200, is_named=is_named), embedder)
    quality = router.predict(extract_texts(QUESTIONS, embedder)).quality
    assert [router.model_ids[model] for model in quality.argmax(axis=1)] == ["coder", "sage"]


def test_predictions_are_near_the_true_chances(fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    quality = fitted.predict(extract_texts(QUESTIONS, embedder)).quality
    assert quality == pytest.approx(np.array([[0.9, 0.2], [0.2, 0.9]]), abs=0.15)


def test_intervals_cover_nine_of_ten_new_outcomes(fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    fresh = make_table(400, seed=1)
    found = fitted.predict(extract_queries(fresh.queries, embedder))
    covered = (fresh.scores >= found.low) & (fresh.scores <= found.high)
    assert 0.85 < covered.mean() < 0.95


def test_few_outcomes_leave_the_models_near_their_means(embedder: StaticEmbedder) -> None:
    router = fit(make_table(4), embedder)
    quality = router.predict(extract_texts(QUESTIONS, embedder)).quality
    assert quality == pytest.approx(np.tile(router.combination.means, (2, 1)), abs=0.25)


def test_one_outcome_is_enough_for_a_router(embedder: StaticEmbedder) -> None:
    router = fit(build_table([Row("loop", {"a": 1.0, "b": 0.0}, {}, None)]), embedder)
    assert router.predict(extract_texts(["anything"], embedder)).quality.argmax() == 0


def test_a_single_model_can_be_fitted(embedder: StaticEmbedder) -> None:
    table = build_table([Row(row.query, {"coder": row.scores["coder"]}, {}, None) for row in make_rows(60)])
    quality = fit(table, embedder).predict(extract_texts(QUESTIONS, embedder)).quality
    assert quality[0, 0] > quality[1, 0] + 0.2


def test_unknown_scores_do_not_count_as_nought(embedder: StaticEmbedder) -> None:
    gone = np.random.default_rng(0).choice(["coder", "sage"], 300)
    rows = [
        Row(row.query, {model: score for model, score in row.scores.items() if model != hidden}, {}, row.task)
        for row, hidden in zip(make_rows(300), gone, strict=True)
    ]
    quality = fit(build_table(rows), embedder).predict(extract_texts(QUESTIONS, embedder)).quality
    assert quality == pytest.approx(np.array([[0.9, 0.2], [0.2, 0.9]]), abs=0.25)


def test_more_outcomes_make_the_prediction_surer(fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    features = extract_texts(QUESTIONS, embedder)
    assert (fitted.predict(features).std < fit(make_table(20), embedder).predict(features).std).all()


def test_the_same_rows_give_the_same_router(fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    features = extract_texts(QUESTIONS, embedder)
    again = fit(make_table(200), embedder).predict(features)
    assert np.array_equal(again.quality, fitted.predict(features).quality)


def test_the_basis_has_a_row_a_question_and_unit_scale(fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    basis = fitted.basis(extract_queries(make_table(200).queries, embedder))
    assert basis.shape == (200, len(fitted.tasks) + fitted.heads.component.shape[1])
    assert basis[:, len(fitted.tasks) :].std(axis=0) == pytest.approx(1, abs=0.1)


def test_one_question_after_another_gets_what_both_get_together(fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    together = extract_texts(QUESTIONS, embedder)
    for row, question in enumerate(QUESTIONS):
        alone = extract_texts([question], embedder)
        assert fitted.basis(alone)[0] == pytest.approx(fitted.basis(together)[row], abs=1e-4)
        assert fitted.predict(alone).quality[0] == pytest.approx(fitted.predict(together).quality[row], abs=1e-4)


def test_no_outcomes_are_refused(embedder: StaticEmbedder) -> None:
    table = make_table(3)
    with pytest.raises(DataError, match="0 outcomes"):
        fit_router(table.take(np.zeros(0, dtype=np.intp)), extract_texts([], embedder), embedder.sha256)
