import pytest

from neuroforge.pages.scale import Scale, around_zero, fit_scale


def test_values_lie_in_proportion() -> None:
    assert [Scale(0.0, 4.0).share(value) for value in (0.0, 1.0, 4.0)] == [0.0, 0.25, 1.0]


def test_values_beyond_stand_at_the_end() -> None:
    assert (Scale(0.0, 1.0).share(-5), Scale(0.0, 1.0).share(5)) == (0.0, 1.0)


def test_factors_lie_in_proportion_on_a_logarithmic_axis() -> None:
    assert Scale(0.01, 1.0, is_log=True).share(0.1) == pytest.approx(0.5)


def test_ticks_are_round() -> None:
    assert Scale(0.28, 0.83).ticks() == (0.4, 0.6, 0.8)
    assert Scale(-0.11, 0.2).ticks() == (-0.1, 0.0, 0.1, 0.2)


def test_logarithmic_ticks_are_round_and_few() -> None:
    assert Scale(0.04, 2.0, is_log=True).ticks() == pytest.approx((0.1, 0.3, 1.0))
    assert len(Scale(1e-6, 1e3, is_log=True).ticks()) <= 5


def test_an_axis_stays_within_what_can_be() -> None:
    scale = fit_scale([0.1, 1.0], within=(0.0, 1.0))
    assert scale.low >= 0
    assert scale.high == 1.0


def test_equal_values_still_make_an_axis() -> None:
    scale = fit_scale([0.5, 0.5])
    assert scale.low < 0.5 < scale.high
    assert fit_scale([0.0]).high > 0


def test_far_apart_values_get_a_logarithmic_axis_and_zero_never_does() -> None:
    assert fit_scale([0.01, 1.0], may_log=True).is_log
    assert not fit_scale([0.0, 1.0], may_log=True).is_log
    assert not fit_scale([0.5, 1.0], may_log=True).is_log


def test_differences_always_show_zero() -> None:
    assert around_zero([0.2, 0.3]).low < 0 < around_zero([-0.3, -0.2]).high
