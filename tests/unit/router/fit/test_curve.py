import numpy as np
import pytest

from neuroforge.router.fit.curve import CurvePoint, cost_at, measure_aiq, measure_strong_share, trace_curve


def test_the_curve_runs_from_all_cheap_to_best_quality() -> None:
    scores = np.array([[0.0, 1.0], [1.0, 1.0]])
    costs = np.tile([1.0, 3.0], (2, 1))
    points = trace_curve(np.array([[0.1, 0.9], [0.8, 0.9]]), np.array([1.0, 3.0]), scores, costs)
    assert points[0] == CurvePoint(1.0, 0.5)
    assert points[-1] == CurvePoint(3.0, 1.0)
    assert CurvePoint(2.0, 1.0) in points


def test_parity_lies_on_the_line_between_two_points() -> None:
    assert cost_at([CurvePoint(1.0, 0.2), CurvePoint(3.0, 0.6)], 0.4) == pytest.approx(2.0)


def test_a_score_that_is_never_reached_has_no_cost() -> None:
    assert cost_at([CurvePoint(1.0, 0.2)], 0.4) is None


def test_aiq_is_the_mean_score_over_the_costs() -> None:
    assert measure_aiq([CurvePoint(0.0, 0.0), CurvePoint(1.0, 1.0)], 0.0, 1.0) == pytest.approx(0.5)


def test_perfect_preference_needs_only_the_questions_that_gain() -> None:
    weak, strong = np.zeros(10), np.array([1.0, 1.0, 0, 0, 0, 0, 0, 0, 0, 0])
    share = measure_strong_share(strong - weak, weak, strong)
    assert (share.cpt50, share.cpt80) == (pytest.approx(0.1), pytest.approx(0.2))
    assert share.apgr == pytest.approx(0.9)


def test_an_even_gain_gives_half_the_area() -> None:
    assert measure_strong_share(np.arange(10.0), np.zeros(10), np.ones(10)).apgr == pytest.approx(0.5)
