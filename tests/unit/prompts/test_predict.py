"""Predictions whose intervals hold for runs that were not among those behind them."""

import numpy as np
import pytest

from neuroforge.prompts.predict import FEWEST_RUNS, Floats, Predictor, fit_predictor

WEIGHTS = np.array([0.2, -0.1, 0.0, 0.0])


def draw_run(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Features and scores of n programs of a run; runs differ by .1, programs by another .05."""
    features = rng.random((n, 4))
    return features, 0.5 + features @ WEIGHTS + 0.1 * rng.standard_normal() + 0.05 * rng.standard_normal(n)


def fitted(rng: np.random.Generator, sizes: list[int]) -> Predictor:
    drawn = [draw_run(rng, n) for n in sizes]
    runs = np.repeat(np.arange(len(sizes)), sizes)
    features, targets = (np.concatenate(one) for one in zip(*drawn, strict=True))
    found = fit_predictor(features, targets, runs, has_offset=True)
    assert found is not None
    return found


@pytest.mark.parametrize(("n_runs", "stated"), [(4, 0.8), (12, 0.9)])
def test_intervals_hold_for_a_new_run_at_the_stated_rate(n_runs: int, stated: float) -> None:
    rng = np.random.default_rng(n_runs)
    held = []
    for _ in range(150):
        one = fitted(rng, rng.integers(2, 12, n_runs).tolist())
        features, targets = draw_run(rng, 1)
        held.append(abs(targets[0] - one.predict(features[0])) <= one.reach)
        assert one.coverage == pytest.approx(stated)

    assert stated - 0.05 <= np.mean(held) <= stated + 0.1


def test_a_run_of_many_rows_weighs_no_more_than_one_of_few() -> None:
    """Three runs at 0 and one at 1, whose ten rows are one run all the same: the mean of four runs is .25."""
    features, runs = np.zeros((13, 1)), np.array([0, 1, 2, *[3] * 10])
    found = fit_predictor(features, (runs == 3).astype(float), runs, has_offset=True)

    assert found is not None
    assert found.predict(np.zeros(1)) == pytest.approx(0.25)
    assert found.reach == pytest.approx(1.0), "the run at 1 is that far from the mean of the others"


def test_no_difference_in_features_is_no_difference_in_score() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((40, 4))
    found = fit_predictor(features, features @ WEIGHTS + 0.3, np.arange(40) % 8, has_offset=False)

    assert found is not None
    assert found.predict(np.zeros(4)) == 0.0


def test_too_few_runs_are_no_predictor() -> None:
    n = FEWEST_RUNS - 1

    assert fit_predictor(np.ones((n, 1)), np.ones(n), np.arange(n), has_offset=True) is None
