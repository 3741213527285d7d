"""Exact propensities, the floor, the least share, and a draw that can be repeated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.router.explore import N_DRAWS, draw, draw_uniform, ensemble, propensities


def shares_of(mean: list[float], std: list[float], floor: float = 0.1) -> np.ndarray:
    values = np.array(mean)
    return propensities(values, np.array(std), values, floor)


def test_without_uncertainty_the_best_gets_all_but_the_least_shares() -> None:
    assert shares_of([0.5, 0.55, 0.52], [0, 0, 0]) == pytest.approx([0.01, 0.98, 0.01])


def test_a_model_that_is_surely_below_the_floor_gets_nothing() -> None:
    assert shares_of([0.8, 0.69, 0.71], [5, 0, 0])[1] == 0


def test_a_model_that_could_reach_the_floor_at_one_deviation_is_eligible() -> None:
    assert shares_of([0.8, 0.6, 0.6], [0, 0.09, 0.11])[1:].tolist() == pytest.approx([0, 0.01], abs=0.03)
    assert shares_of([0.8, 0.6, 0.6], [0, 0.09, 0.11])[2] >= 0.01


def test_a_model_exactly_at_the_floor_is_eligible() -> None:
    assert shares_of([0.75, 0.5], [0, 0], floor=0.25) == pytest.approx([0.99, 0.01])


def test_the_only_eligible_model_gets_everything() -> None:
    assert shares_of([0.8, 0.2], [1, 0.4]).tolist() == [1.0, 0.0]


def test_two_equal_beliefs_share_about_equally() -> None:
    assert shares_of([0.5, 0.5], [0.1, 0.1]) == pytest.approx([0.5, 0.5], abs=0.05)


def test_with_very_many_models_the_least_shares_leave_half_of_the_probability() -> None:
    shares = shares_of([0.5] * 199 + [0.51], [0.0] * 200)
    assert shares[-1] == pytest.approx(0.5 + 0.5 / 200)
    assert shares[0] == pytest.approx(0.5 / 200)


def test_the_frequency_over_100_000_requests_is_the_propensity() -> None:
    shares = shares_of([0.6, 0.58, 0.55, 0.3, 0.56], [0.02, 0.05, 0.03, 0.1, 0.1])
    n_requests = 100_000
    drawn = [draw(shares, 7, f"request-{index}", 3) for index in range(n_requests)]
    counts = np.bincount(drawn, minlength=5)
    deviations = np.sqrt(n_requests * shares * (1 - shares))
    assert counts[3] == 0
    assert np.all(np.abs(counts - n_requests * shares) <= 4 * deviations)


def test_the_draw_is_the_same_for_the_same_seed_request_and_version() -> None:
    shares = np.full(50, 0.02)
    assert draw(shares, 1, "r", 2) == draw(shares, 1, "r", 2)


@pytest.mark.parametrize(("seed", "request_id", "version"), [(2, "r", 2), (1, "q", 2), (1, "r", 3)])
def test_another_seed_request_or_version_is_another_draw(seed: int, request_id: str, version: int) -> None:
    assert draw_uniform(seed, request_id, version) != draw_uniform(1, "r", 2)


def test_a_request_id_with_half_a_character_can_be_drawn() -> None:
    assert 0 <= draw_uniform(0, "\ud800", 1) < 1


def test_a_model_without_probability_is_never_drawn_at_the_end_of_the_unit_interval() -> None:
    shares = np.array([0.0, 1.0 - 1e-12, 0.0])
    assert {draw(shares, 0, str(index), 0) for index in range(200)} == {1}


def test_the_ensemble_has_no_tendency() -> None:
    assert ensemble(4).shape == (N_DRAWS, 4)
    assert ensemble(4).mean(axis=0) == pytest.approx([0, 0, 0, 0], abs=1e-12)


beliefs = st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


@given(beliefs, st.floats(0, 1))
def test_propensities_sum_to_one_and_every_eligible_model_has_one_percent(
    rows: list[tuple[float, float, float]], floor: float
) -> None:
    mean, std, quality = (np.array(column) for column in zip(*rows, strict=True))
    shares = propensities(mean, std, quality, floor)
    is_eligible = quality + std >= quality.max() - floor
    assert shares.sum() == pytest.approx(1.0)
    assert np.all(shares[~is_eligible] == 0)
    assert np.all(shares[is_eligible] >= 0.01 - 1e-12)
