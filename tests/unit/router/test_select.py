from typing import Any

import pytest

from neuroforge.contracts.routing import RouteOptions, UtilityWeights
from neuroforge.contracts.rules import Exclusion, Pin, RoutingRules
from neuroforge.errors import RequestError
from neuroforge.router.belief import Belief
from neuroforge.router.select import AdaptiveLoadBalancer, Candidate, Selection, Weighed
from tests.fakes import endpoint, routing_request
from tests.unit.router.weighing import belief, candidate

HALF = UtilityWeights(cost_per_usd=0.5)


def weighed(model_id: str, expected_latency_s: float, n_in_flight: int = 0, n_chosen: int = 0) -> Weighed:
    return Weighed(endpoint(model_id), expected_latency_s, n_in_flight, n_chosen)


def select(*candidates: Weighed) -> str:
    return AdaptiveLoadBalancer().select_fastest(candidates).endpoint.model_id


def test_the_lowest_expected_latency_wins() -> None:
    assert select(weighed("a", 2.0), weighed("b", 1.0, n_in_flight=3)) == "b"


def test_ties_go_to_the_shorter_queue() -> None:
    assert select(weighed("a", 1.0, n_in_flight=1), weighed("b", 1.0, n_chosen=9)) == "b"


def test_then_to_the_one_chosen_less_often() -> None:
    assert select(weighed("a", 1.0, n_chosen=2), weighed("b", 1.0, n_chosen=1)) == "b"


def test_then_to_the_first() -> None:
    assert select(weighed("a", 1.0), weighed("b", 1.0)) == "a"


def choose(*candidates: Candidate, belief_: Belief | None = None, seed: int = 0, **request: Any) -> Selection:
    balancer = AdaptiveLoadBalancer(seed)
    return balancer.select_optimal(routing_request(**request), "code", candidates, belief_ or belief())


def test_the_highest_utility_wins() -> None:
    chosen = choose(candidate("a", quality=0.6), candidate("b", quality=0.7))
    assert (chosen.place, chosen.reason, chosen.exploration, chosen.propensities) == (1, "utility", "off_by_rule", None)


def test_equal_utilities_go_to_the_cheaper_then_the_faster() -> None:
    same = {"policy": "auto:best"}
    assert choose(candidate("a", cost_usd=0.2), candidate("b", cost_usd=0.1), **same).place == 1
    assert choose(candidate("a", latency_s=2.0), candidate("b", latency_s=1.0), **same).place == 1


def test_a_warm_prefix_is_worth_staying_for() -> None:
    cold, warm = candidate("a", quality=0.61, prefix_s=5.0), candidate("b", quality=0.6)
    assert choose(cold, warm).place == 1
    assert choose(cold._replace(prefix_s=0.5), warm).place == 0


def test_bounds_come_before_utility() -> None:
    chosen = choose(
        candidate("good", quality=0.9, latency_s=9.0), candidate("quick"), route=RouteOptions(max_latency_s=2.0)
    )
    assert (chosen.place, chosen.filtered) == (1, ["max_latency", None])
    assert chosen.terms[0] is None


def test_an_excluded_model_is_not_chosen_and_a_pinned_one_always() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="a", task="code"),), pins=(Pin(model_id="c", task="code"),))
    models = [candidate("a", quality=0.9), candidate("b", quality=0.8), candidate("c", quality=0.1)]
    chosen = choose(*models, belief_=belief(rules))
    assert (chosen.place, chosen.reason, chosen.exploration) == (2, "pinned", "off_by_rule")
    assert chosen.filtered == ["excluded_by_rule", None, None]


def test_a_pin_gives_way_where_its_model_cannot_keep_a_bound() -> None:
    rules = RoutingRules(pins=(Pin(model_id="a"),), explore=False, holdout_share=0.0)
    slow = candidate("a", latency_s=9.0)
    assert choose(slow, candidate("b"), belief_=belief(rules), route=RouteOptions(max_latency_s=2)).reason == "utility"


def test_rules_that_leave_nobody_name_their_version() -> None:
    rules = RoutingRules(version=7, exclusions=(Exclusion(model_id="a"),))
    with pytest.raises(RequestError, match=r"version 7.*code request: a"):
        choose(candidate("a"), belief_=belief(rules))


def test_a_fallback_takes_the_best_that_is_left() -> None:
    chosen = choose(
        candidate("a", quality_std=0.3),
        candidate("b", quality=0.6, quality_std=0.3),
        belief_=belief(RoutingRules()),
        excluded_models=frozenset({"c"}),
    )
    assert (chosen.place, chosen.reason, chosen.propensities) == (1, "fallback", None)


def test_a_request_can_forbid_exploration() -> None:
    models = [candidate("a", quality_std=0.3), candidate("b", quality=0.51, quality_std=0.3)]
    eager = belief(RoutingRules(holdout_share=0.5), best_single="a")
    for number in range(50):
        chosen = choose(*models, belief_=eager, request_id=f"r{number}", route=RouteOptions(explore=False))
        assert (chosen.place, chosen.exploration, chosen.propensities) == (1, "off_by_request", None)


def test_the_same_request_is_decided_alike_and_another_snapshot_draws_anew() -> None:
    models = [candidate(name, quality_std=0.3) for name in "abcd"]

    def places(version: int, seed: int = 0) -> list[int]:
        eager = belief(RoutingRules(holdout_share=0.0), version=version)
        return [choose(*models, belief_=eager, seed=seed, request_id=f"r{n}").place for n in range(30)]

    assert places(1) == places(1)
    assert places(1) != places(2)
    assert places(1) != places(1, seed=1)


def test_frequencies_over_8_000_requests_are_the_logged_propensities() -> None:
    eager = belief(RoutingRules(holdout_share=0.1), best_single="c")
    models = [
        candidate("a", quality=0.6, quality_std=0.1),
        candidate("b", quality=0.55, quality_std=0.1),
        candidate("c", quality=0.5, quality_std=0.1),
        candidate("d", quality=0.2, quality_std=0.1),
    ]
    chosen = [choose(*models, belief_=eager, request_id=f"r{number}") for number in range(8_000)]
    told = chosen[0].propensities
    assert told is not None
    counts = [sum(one.place == place for one in chosen) / len(chosen) for place in range(4)]
    assert counts == pytest.approx(told, abs=0.02)
    assert sum(told) == pytest.approx(1.0)
    assert told[3] == 0.0
    assert min(told[:3]) >= 0.009
    assert sum(one.reason == "holdout" for one in chosen) / len(chosen) == pytest.approx(0.1, abs=0.015)


def test_without_a_best_single_model_there_is_no_holdout() -> None:
    eager = belief(RoutingRules(holdout_share=0.5))
    reasons = {
        choose(candidate("a"), candidate("b", quality=0.9), belief_=eager, request_id=f"r{n}").reason for n in range(50)
    }
    assert "holdout" not in reasons


def test_exploration_keeps_to_the_floor_below_what_a_cheap_policy_takes() -> None:
    eager = belief(RoutingRules(holdout_share=0.0, quality_floor=0.1))
    models = [
        candidate("dear", quality=0.9, cost_usd=0.9, quality_std=0.01),
        candidate("cheap", quality=0.75, cost_usd=0.0, quality_std=0.01),
        candidate("bad", quality=0.6, cost_usd=0.0, quality_std=0.01),
    ]
    told = choose(*models, belief_=eager, policy="auto:cheap", route=RouteOptions(weights=HALF)).propensities
    assert told is not None
    assert told[1] > 0.5
    assert told[0] >= 0.01
    assert told[2] == 0.0
