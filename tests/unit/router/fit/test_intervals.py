import numpy as np
import pytest

from neuroforge.router.fit.intervals import estimate, measure_calibration


def test_equal_values_have_no_width() -> None:
    found = estimate(np.full(30, 0.5))
    assert (found.low, found.mean, found.high) == (0.5, 0.5, 0.5)


def test_the_interval_is_about_two_standard_errors_each_way() -> None:
    found = estimate(np.array([0.0, 1.0] * 200))
    assert found.high - found.low == pytest.approx(4 * 0.025, rel=0.15)


def test_gaps_are_weighted_by_the_bins_mass() -> None:
    predicted = np.array([0.0] * 15 + [1.0] * 15)
    real = np.array([0.0] * 15 + [0.5] * 15)
    found = measure_calibration(predicted, predicted - 0.1, predicted + 0.1, real)
    assert found.ece == pytest.approx(0.25)
    assert found.coverage == 0.5
