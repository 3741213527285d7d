from pathlib import Path

import numpy as np
import pytest

from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.fit import kernel, others
from neuroforge.router.fit.others import split_rows
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from tests.unit.router.fit.worlds import make_embedder, make_table

QUESTIONS = ["loop bug the array of", "king of the river city"]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    directory: Path = tmp_path_factory.mktemp("embedder")
    return make_embedder(directory)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds above 6,000 and 200,000 rows holds above 50 and 100."""
    monkeypatch.setattr(kernel, "MAX_EXACT", 50)
    monkeypatch.setattr(kernel, "N_LANDMARKS", 40)
    monkeypatch.setattr(others, "MAX_FITTED", 100)


def test_each_row_is_either_fitted_or_tallied(small_limits: None) -> None:
    split = split_rows(130, np.random.default_rng(0))
    assert (len(split.fitted), len(split.others)) == (100, 30)
    assert sorted([*split.fitted, *split.others]) == list(range(130))


@pytest.mark.parametrize("is_named", [True, False])
def test_a_large_file_teaches_the_same_choice(small_limits: None, embedder: StaticEmbedder, is_named: bool) -> None:
    table = make_table(400, is_named=is_named)
    router = fit_router(table, extract_queries(table.queries, embedder), embedder.sha256)
    quality = router.predict(extract_texts(QUESTIONS, embedder)).quality
    assert [router.model_ids[model] for model in quality.argmax(axis=1)] == ["coder", "sage"]
    assert (router.n_outcomes, len(router.kernel.landmarks)) == (400, 40)


def test_rows_that_are_not_fitted_count_in_the_scores_by_task(small_limits: None, embedder: StaticEmbedder) -> None:
    table = make_table(400)
    router = fit_router(table, extract_queries(table.queries, embedder), embedder.sha256)
    is_code = np.array([task == "code" for task in table.tasks])
    sums = (table.scores[is_code] - router.combination.means).sum(axis=0)
    assert router.task_scores[0] == pytest.approx(sums / (is_code.sum() + 5))
