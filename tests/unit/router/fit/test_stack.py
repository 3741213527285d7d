import numpy as np
import pytest

from neuroforge.router.fit.model import combine
from neuroforge.router.fit.stack import fit_combination

N = 400
RNG = np.random.default_rng(0)
TASKS = np.eye(2)[np.arange(N) % 2]
SIGNAL = RNG.normal(scale=0.3, size=(N, 3))
KNOWN = np.ones((N, 3), dtype=bool)


def test_a_base_that_helps_in_one_task_counts_in_that_task_only() -> None:
    noise = RNG.normal(scale=0.3, size=(N, 3))
    scores = 0.5 + np.where(TASKS[:, :1] == 1, SIGNAL, noise)
    found = fit_combination(np.full(3, 0.5), [SIGNAL], TASKS, scores, KNOWN)
    assert found.difference[:, 0] == pytest.approx([1.0, 0.1], abs=0.15)


def test_few_rows_of_a_task_leave_it_the_weights_of_all() -> None:
    tasks = np.eye(2)[(np.arange(N) >= N - 2).astype(int)]
    found = fit_combination(np.full(3, 0.5), [SIGNAL], tasks, 0.5 + SIGNAL, KNOWN)
    assert found.difference[1, 0] > 0.7


def test_what_misleads_gets_no_weight() -> None:
    found = fit_combination(np.full(3, 0.5), [-SIGNAL], TASKS, 0.5 + SIGNAL, KNOWN)
    assert (found.common >= 0).all()
    assert found.difference == pytest.approx(0)


def test_differences_are_weighted_by_the_rows_tasks() -> None:
    base = np.array([[0.2, -0.2], [0.2, -0.2], [0.2, -0.2]])
    weights = np.array([[1.0], [0.5]])
    shares = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    found = combine([base], shares, np.zeros(1), weights)
    assert found[:, 0] == pytest.approx([0.2, 0.1, 0.15])
