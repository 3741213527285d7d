import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare

from neuroforge.errors import DataError
from neuroforge.statistics.ranks import friedman, rank_intervals, select_best

DEMSAR = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip
"""Demsar, JMLR 7 (2006), table 6: AUC of four learners on 14 data sets. The ranks were made from unrounded values:
in the row before the last the third is ahead of the fourth."""


def test_mean_ranks_and_critical_difference_equal_the_published_example() -> None:
    result = friedman(DEMSAR)
    assert result.mean_ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert round(result.critical_difference, 2) == 1.25
    assert result.statistic == pytest.approx(friedmanchisquare(*DEMSAR.T).statistic, abs=1e-6)
    assert result.separated == ()


def test_a_learner_that_always_wins_is_separated() -> None:
    scores = np.array([[0.9, 0.5, 0.1]] * 8)
    result = friedman(scores)
    assert result.separated == ((0, 2),)
    assert result.p_value < 0.001


def test_all_ties_separate_nobody() -> None:
    result = friedman(np.ones((5, 3)))
    assert (result.p_value, result.separated) == (1.0, ())
    assert result.mean_ranks.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("scores", [np.ones((5, 2)), np.ones((1, 3)), np.ones(3), [[1, 2, np.nan], [1, 2, 3]]])
def test_too_little_for_friedman_is_refused(scores: np.ndarray) -> None:
    with pytest.raises(DataError):
        friedman(scores)


def test_ranks_span_who_cannot_be_told_apart() -> None:
    p_adjusted = np.array([[1.0, 0.2, 0.01], [0.2, 1.0, 0.3], [0.01, 0.3, 1.0]])
    assert rank_intervals([0.9, 0.8, 0.7], p_adjusted) == [(1, 2), (1, 3), (2, 3)]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_without_evidence_every_rank_is_possible(means: list[float]) -> None:
    n = len(means)
    assert rank_intervals(means, np.ones((n, n))) == [(1, n)] * n


def test_p_values_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError):
        rank_intervals([0.1, 0.2], np.ones((3, 3)))


def test_a_clear_best_is_named() -> None:
    rng = np.random.default_rng(2)
    scores = np.column_stack([rng.random(200) < p for p in (0.5, 0.9, 0.6)]).astype(float)
    best = select_best(scores, rng=rng)
    assert best.leader == best.winner == 1
    assert best.p_adjusted[1] == 1.0


def test_two_that_tie_leave_no_winner() -> None:
    rng = np.random.default_rng(2)
    scores = np.column_stack([rng.random(200) < p for p in (0.9, 0.9, 0.2)]).astype(float)
    assert select_best(scores, rng=rng).winner is None


def test_equal_columns_have_a_leader_and_no_winner() -> None:
    best = select_best(np.tile([[0.5], [0.7]], 3), rng=np.random.default_rng(0))
    assert (best.leader, best.winner) == (0, None)


@pytest.mark.parametrize("scores", [np.ones((3, 1)), np.ones((0, 2)), [[1.0, np.nan], [0.0, np.nan]]])
def test_nothing_to_choose_from_is_refused(scores: np.ndarray) -> None:
    with pytest.raises(DataError):
        select_best(scores, rng=np.random.default_rng(0))
