import pytest

from neuroforge.contracts.models import EngineKind
from neuroforge.router.speed_prior import MAX_RATIO, fill_unknown, size_of
from tests.fakes import endpoint


def test_what_was_measured_stays() -> None:
    assert fill_unknown([0.5, 2.0], [1e9, None], 9.0) == [0.5, 2.0]


def test_a_guess_grows_with_size_from_the_nearest_measured_model() -> None:
    assert fill_unknown([0.1, 0.8, None], [1e9, 8e9, 16e9], 9.0)[2] == pytest.approx(1.6)


def test_a_guess_does_not_go_too_far() -> None:
    assert fill_unknown([1.0, None], [1e8, 7e10], 9.0)[1] == MAX_RATIO


def test_without_sizes_the_fastest_measured_one_counts() -> None:
    assert fill_unknown([2.0, 1.0, None], [None, 1e9, None], 9.0)[2] == 1.0
    assert fill_unknown([2.0, None], [None, 1e9], 9.0)[1] == 2.0


def test_without_any_measurement_the_prior_scales_with_size() -> None:
    assert fill_unknown([None, None], [None, 5e8], 2.0) == [2.0, 1.0]


def test_a_larger_model_of_a_server_is_only_a_little_slower() -> None:
    small, large = (size_of(endpoint(name, engine=EngineKind.OPENAI_HTTP)) for name in ("a-1b", "a-70b"))
    assert small is not None
    assert large is not None
    assert large / small == pytest.approx(3.58, abs=0.01)


def test_the_size_is_read_from_names_and_tags() -> None:
    assert [size_of(endpoint("qwen2.5-0.5b")), size_of(endpoint("x", tags=("7b",))), size_of(endpoint("x"))] == [
        5e8,
        7e9,
        None,
    ]
