from pathlib import Path

import numpy as np
import pytest

from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fit import kernel as kernels
from neuroforge.router.fit.design import Gates, Sight, build_design, choose_sample
from neuroforge.router.fit.kernel import Kernel, fit_kernel
from neuroforge.router.fit.pipeline import extract_queries
from tests.unit.router.fit.worlds import make_embedder, make_table

N = 60


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    directory: Path = tmp_path_factory.mktemp("embedder")
    return make_embedder(directory)


@pytest.fixture(scope="module")
def sight(embedder: StaticEmbedder) -> Sight:
    features = extract_queries(make_table(N).queries, embedder)
    kernel, _ = fit_kernel(features, np.random.default_rng(0))
    return Sight(kernel, "whole", kernel.points(features))


TARGETS = np.random.default_rng(3).normal(size=(N, 2))


def test_left_out_predictions_are_those_of_a_fit_without_the_row(sight: Sight) -> None:
    head = build_design(sight, np.arange(N)).solve(TARGETS, (2.0,))[0]
    others = np.arange(1, N)
    own = sight.landmarks().astype(np.float64)
    # Ridge with a free intercept: the kernel matrix bordered by ones.
    bordered = np.block(
        [[own[1:, 1:] + 2 * np.eye(N - 1), np.ones((N - 1, 1))], [np.ones((1, N - 1)), np.zeros((1, 1))]]
    )
    dual = np.linalg.solve(bordered, np.vstack([TARGETS[others], np.zeros((1, 2))]))
    assert head.left_out[0] == pytest.approx(own[0, 1:] @ dual[:-1] + dual[-1], abs=1e-3)


def test_a_head_gives_a_row_what_the_ridge_fit_gives_it(sight: Sight) -> None:
    head = build_design(sight, np.arange(N)).solve(TARGETS, (2.0,))[0]
    own = sight.landmarks().astype(np.float64)
    centre = np.eye(N) - 1 / N
    centred = centre @ own @ centre
    expected = TARGETS.mean(axis=0) + centred @ np.linalg.solve(centred + 2 * np.eye(N), TARGETS - TARGETS.mean(axis=0))
    assert head.apply(sight.rows(np.arange(N))) == pytest.approx(expected, abs=1e-3)


def test_landmarks_that_are_all_rows_give_the_exact_fit(sight: Sight) -> None:
    exact = build_design(sight, np.arange(N)).solve(TARGETS, (2.0,))[0].apply(sight.rows(np.arange(N)))
    doubled = Sight(sight.kernel, "whole", np.vstack([sight.points, sight.points]))
    twice = build_design(doubled, np.arange(2 * N)).solve(np.vstack([TARGETS, TARGETS]), (4.0,))[0]
    assert twice.apply(sight.rows(np.arange(N))) == pytest.approx(exact, abs=5e-3)


def test_gates_keep_what_one_task_teaches_from_another(sight: Sight) -> None:
    is_first = np.arange(N) % 2 == 0
    members = np.stack([is_first, ~is_first], axis=1).astype(np.float32)
    gated = Sight(sight.kernel, "meaning", sight.points, Gates(members, members))
    similarities = gated.rows(np.arange(N))
    assert (similarities[is_first][:, ~is_first] == 0).all()
    assert similarities[0, 0] == pytest.approx(1)


def test_the_views_multiply_to_the_whole(sight: Sight) -> None:
    kernel: Kernel = sight.kernel
    views = kernel.similarities(sight.points)
    assert views.whole == pytest.approx(kernel.view(sight.points, "whole"), abs=1e-5)
    assert views.meaning == pytest.approx(kernel.view(sight.points, "meaning"), abs=1e-5)
    assert views.marks == pytest.approx(kernel.view(sight.points, "marks"), abs=1e-5)
    assert (views.whole <= views.meaning + 1e-6).all()


def test_a_question_by_itself_sees_what_it_sees_among_others(sight: Sight) -> None:
    among = sight.kernel.similarities(sight.points)
    for row in range(0, N, 25):
        alone = sight.kernel.similarities(sight.points[row : row + 1])
        for one, many in zip(alone, among, strict=True):
            assert one[0] == pytest.approx(many[row], abs=1e-5)


def test_unknown_targets_are_filled_by_what_similar_rows_lead_to_expect(sight: Sight) -> None:
    design = build_design(sight, np.arange(N))
    is_code = np.array([task == "code" for task in make_table(N).tasks])
    targets = np.tile(np.where(is_code, 1.0, -1.0)[:, None], (1, 2))
    is_known = np.ones((N, 2), dtype=bool)
    hidden = [np.flatnonzero(is_code)[0], np.flatnonzero(~is_code)[0]]
    is_known[hidden, 1] = False
    filled = design.fill(np.where(is_known, targets, 0), is_known)
    assert (filled[is_known] == targets[is_known]).all()
    assert filled[hidden[0], 1] > 0.1
    assert filled[hidden[1], 1] < -0.1


def test_many_rows_are_measured_by_a_sample() -> None:
    sample = choose_sample(10_001, np.random.default_rng(0))
    assert len(sample) == 10_000
    assert (np.diff(sample) > 0).all()


def test_large_files_see_a_fixed_number_of_landmarks() -> None:
    assert [kernels.count_landmarks(n) for n in (5, 6_000, 6_001, 1_000_000)] == [5, 6_000, 2_000, 2_000]
