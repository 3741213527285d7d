from typing import Any

import numpy as np
import pytest

from neuroforge.contracts.routing import CandidateView
from neuroforge.contracts.rules import Exclusion, Pin, QualityPrior, RoutingRules, Threshold
from neuroforge.router.choices import RulesPolicy, Shares, logged_shares
from neuroforge.router.explore import propensities
from tests.unit.router.logged import decision, drawn, view

SHARES = {"a": 0.7, "b": 0.2, "c": 0.1}
NONE = RoutingRules()


def choose(rules: RoutingRules, *views: CandidateView, base: RoutingRules = NONE, **changes: Any) -> Shares:
    found = decision(views[0].model_id, *views, **changes)
    logged = logged_shares(found)
    assert logged is not None
    return RulesPolicy(rules, {0: base}).choose(found, logged)


def views(*shares: float | None, **qualities: float) -> list[CandidateView]:
    return [view(name, qualities.get(name, 0.5), share) for name, share in zip("abc", shares, strict=True)]


def test_the_log_tells_exact_shares_where_a_model_was_drawn() -> None:
    assert logged_shares(drawn("b", {**SHARES, "d": 0.0})) == SHARES


def test_a_choice_without_a_draw_was_certain() -> None:
    assert logged_shares(decision("a", view("a"), view("b"))) == {"a": 1.0}


@pytest.mark.parametrize("reason", ["explicit", "fallback", "router_unavailable", "expected_latency"])
def test_what_the_router_did_not_choose_has_no_shares(reason: str) -> None:
    assert logged_shares(decision("a", view("a", propensity=1.0), reason=reason)) is None


def test_shares_that_do_not_add_up_are_not_believed() -> None:
    assert logged_shares(drawn("a", {"a": 0.5, "b": 0.2})) is None


def test_rules_that_do_not_touch_the_decision_leave_its_exact_shares() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="a", task="math"),), pins=(Pin(model_id="b", task="chat"),))
    assert choose(rules, *views(*SHARES.values())) == SHARES


def test_a_pinned_model_is_certain() -> None:
    assert choose(RoutingRules(pins=(Pin(model_id="b", task="code"),)), *views(*SHARES.values())) == {"b": 1.0}


def test_a_pin_that_cannot_answer_changes_nothing() -> None:
    pinned = RoutingRules(pins=(Pin(model_id="c"),))
    found = choose(pinned, view("a", propensity=0.6), view("b", propensity=0.4), view("c", filtered="context_length"))
    assert found == {"a": 0.6, "b": 0.4}


def test_without_a_task_only_rules_for_every_task_hold() -> None:
    rules = RoutingRules(pins=(Pin(model_id="b", task="code"),))
    assert choose(rules, *views(*SHARES.values()), task=None) == SHARES
    assert choose(RoutingRules(pins=(Pin(model_id="b"),)), *views(*SHARES.values()), task=None) == {"b": 1.0}


def test_the_holdout_keeps_its_share_after_an_exclusion() -> None:
    rules, base = (
        RoutingRules(explore=False, holdout_share=0.1, exclusions=one) for one in ((Exclusion(model_id="a"),), ())
    )
    found = choose(rules, view("a", 0.9, 0.9), view("b", 0.6, 0.1), view("c", 0.5, 0.0), base=base, holdout_model="c")
    assert found == pytest.approx({"b": 0.9, "c": 0.1})


def test_another_holdout_share_moves_the_shares() -> None:
    rules, base = (RoutingRules(explore=False, holdout_share=share) for share in (0.25, 0.05))
    found = choose(rules, view("a", 0.9, 0.95), view("b", 0.6, 0.05), base=base, holdout_model="b")
    assert found == pytest.approx({"a": 0.75, "b": 0.25})


def test_the_shares_after_an_exclusion_are_those_that_exploration_would_give() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="a"),))
    found = choose(
        rules,
        view("a", 0.9, 0.8, quality_std=0.1),
        view("b", 0.6, 0.1, quality_std=0.1),
        view("c", 0.55, 0.1, quality_std=0.2),
    )
    expected = propensities(np.array([0.6, 0.55]), np.array([0.1, 0.2]), np.array([0.6, 0.55]), 0.1)
    assert found == pytest.approx({"b": expected[0], "c": expected[1]}, abs=0)


def test_excluding_the_only_candidate_leaves_nothing() -> None:
    assert choose(RoutingRules(exclusions=(Exclusion(model_id="a"),)), view("a")) == {}


@pytest.mark.parametrize(
    "bound", [{"min_quality": 0.6}, {"max_latency_s": 0.5}, {"max_cost_usd": 0.01}], ids=lambda one: next(iter(one))
)
def test_a_model_beyond_a_bound_is_not_chosen(bound: dict[str, float]) -> None:
    good = view("b", 0.7, 0.1, latency_s=0.4, cost_usd=0.0)
    bad = view("a", 0.5, 0.9, latency_s=0.6, cost_usd=0.02)
    assert choose(RoutingRules(thresholds=(Threshold(task="code", **bound),)), bad, good) == {"b": 1.0}


def test_what_a_looser_bound_would_let_in_stays_out() -> None:
    """The request's own bound may have been the reason."""
    base = RoutingRules(thresholds=(Threshold(max_latency_s=1),))
    found = choose(NONE, view("a", propensity=1.0), view("b", 0.9, filtered="max_latency"), base=base)
    assert found == {"a": 1.0}


def test_lifting_an_exclusion_lets_a_model_in_that_was_predicted() -> None:
    base = RoutingRules(exclusions=(Exclusion(model_id="b"),), explore=False)
    quiet = RoutingRules(explore=False)
    found = choose(quiet, view("a", 0.5), view("b", 0.9, filtered="excluded_by_rule"), base=base)
    assert found == {"b": 1.0}


def test_lifting_a_pin_weighs_again() -> None:
    pinned = RoutingRules(pins=(Pin(model_id="a"),))
    found = choose(NONE, view("a", 0.5), view("b", 0.9), base=pinned, reason="pinned", exploration="off")
    assert found == {"b": 1.0}


def test_switching_exploration_off_leaves_the_best() -> None:
    assert choose(RoutingRules(explore=False), *views(*SHARES.values(), b=0.6)) == {"b": 1.0}


def test_switching_exploration_on_spreads() -> None:
    quiet = RoutingRules(explore=False)
    found = choose(NONE, view("a", 0.5), view("b", 0.45), base=quiet, exploration="off_by_rule")
    assert found == pytest.approx({"a": 0.99, "b": 0.01})


def test_who_asked_for_no_exploration_gets_none() -> None:
    found = choose(RoutingRules(quality_floor=0.3), view("a", 0.5), view("b", 0.45), exploration="off_by_request")
    assert found == {"a": 1.0}


def test_a_narrower_floor_keeps_worse_models_out() -> None:
    found = choose(RoutingRules(quality_floor=0.02), view("a", 0.5, 0.9), view("b", 0.45, 0.1))
    assert found == {"a": 1.0}


def test_a_prior_counts_as_its_strength_in_outcomes() -> None:
    # b: 20 outcomes at 0.4 and a prior of 0.9 as strong as 30: (8 + 27) / 50 = 0.7 > 0.6
    rules = RoutingRules(priors=(QualityPrior(model_id="b", quality=0.9, strength=30),), quality_floor=0.0)
    found = choose(rules, view("a", 0.6, 0.99), view("b", 0.4, 0.01, n_outcomes=20), base=RoutingRules(quality_floor=0))
    assert found == {"b": 1.0}


def test_a_prior_that_goes_is_taken_out_of_the_prediction() -> None:
    # a: 0.8 = (10 * 0.6 + 10 * 1.0) / 20; without the prior 0.6 < 0.7
    base = RoutingRules(priors=(QualityPrior(model_id="a", quality=1.0, strength=10),), quality_floor=0.0)
    found = choose(
        RoutingRules(quality_floor=0.0), view("a", 0.8, 0.99, n_outcomes=10), view("b", 0.7, 0.01), base=base
    )
    assert found == {"b": 1.0}


def test_a_decision_without_predictions_keeps_its_only_candidate() -> None:
    only = CandidateView(model_id="a")
    rules = RoutingRules(explore=False, thresholds=(Threshold(min_quality=0.9),))
    assert choose(rules, only, reason="only_candidate", task=None) == {"a": 1.0}
