import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.routing import RouteOptions
from neuroforge.contracts.rules import Threshold
from neuroforge.errors import RequestError
from neuroforge.router.bounds import apply_bounds, collect_bounds
from tests.unit.router.weighing import prediction

FREE = Threshold()
SLOW = prediction("slow", latency_s=4.0, cost_usd=0.001, quality=0.75)
DEAR = prediction("dear", latency_s=1.0, cost_usd=0.01, quality=0.25)


def test_each_bound_tells_its_reason() -> None:
    fine = prediction("fine", latency_s=1.0, cost_usd=0.001, quality=0.5)
    dull = prediction("dull", latency_s=1.0, cost_usd=0.001, quality=0.4)
    bounds = collect_bounds(RouteOptions(max_latency_s=2, max_cost_usd=0.002, min_quality=0.5), FREE)
    assert apply_bounds(bounds, [fine, SLOW, DEAR, dull]) == [None, "max_latency", "max_cost", "min_quality"]


def test_of_rule_and_request_the_tighter_bound_holds() -> None:
    rule = Threshold(max_latency_s=1.0, max_cost_usd=5.0, min_quality=0.6)
    bounds = collect_bounds(RouteOptions(max_latency_s=2, max_cost_usd=3, min_quality=0.5), rule)
    assert [(one.name, one.limit, one.is_rule) for one in bounds] == [
        ("max_latency_s", 1.0, True),
        ("max_cost_usd", 3, False),
        ("min_quality", 0.6, True),
    ]


def test_an_impossible_bound_is_named_with_the_nearest_feasible() -> None:
    with pytest.raises(
        RequestError, match=r"max_latency_s 0.5; the nearest feasible is max_latency_s 1.05 \(dear\)"
    ) as e:
        apply_bounds(collect_bounds(RouteOptions(max_latency_s=0.5), FREE), [SLOW, DEAR])
    assert (e.value.context["param"], e.value.context["nearest"]) == (
        "neuroforge.route.max_latency_s",
        {"max_latency_s": 1.05},
    )


def test_bounds_that_are_only_impossible_together_are_told_of_the_nearest_model() -> None:
    bounds = collect_bounds(RouteOptions(max_latency_s=2, min_quality=0.7), FREE)
    with pytest.raises(RequestError) as caught:
        apply_bounds(bounds, [SLOW, DEAR])
    assert caught.value.context["nearest"] == {"min_quality": 0.25}


def test_a_bound_of_the_rules_says_so() -> None:
    with pytest.raises(RequestError, match=r"the routing rules' min_quality 0.9"):
        apply_bounds(collect_bounds(RouteOptions(), Threshold(min_quality=0.9)), [SLOW])


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5))
def test_what_is_called_feasible_is_feasible(values: list[tuple[float, float, float]]) -> None:
    made = [prediction(latency_s=one, cost_usd=two, quality=three) for one, two, three in values]
    impossible = RouteOptions(max_latency_s=1e-9, max_cost_usd=0, min_quality=1)
    try:
        apply_bounds(collect_bounds(impossible, FREE), made)
    except RequestError as error:
        told = {**impossible.model_dump(), **error.context["nearest"]}
        assert None in apply_bounds(collect_bounds(RouteOptions(**told), FREE), made)
