from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.rules import Estimate, Exclusion, Insight, Pin, QualityPrior, RoutingRules
from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.errors import RequestError
from neuroforge.router.insights import propose_from_insights

FLEET = ("a", "b", "c")


def insight(better: str, worse: str, mean: float, width: float = 0.02, **changes: Any) -> Insight:
    """`mean` plus or minus `width`."""
    difference = Estimate(mean=mean, low=mean - width, high=mean + width, n=changes.pop("n", 200))
    values: dict[str, Any] = {"task": "code", "source": "exp-1", **changes}
    return Insight(model_id=better, other_model_id=worse, difference=difference, **values)


def propose(*insights: Insight, rules: RoutingRules | None = None, fleet: tuple[str, ...] = FLEET) -> RoutingRules:
    return propose_from_insights(insights, rules or RoutingRules(version=3), fleet)


def test_a_model_that_certainly_leads_all_others_is_pinned() -> None:
    found = propose(insight("a", "b", 0.05), insight("a", "c", 0.06))
    assert (found.pins, found.exclusions) == ((Pin(model_id="a", task="code"),), ())
    assert (found.version, found.evidence) == (0, "exp-1")
    assert found.reason == "insights: + pin code: a"


def test_an_insight_counts_both_ways_round() -> None:
    assert propose(insight("b", "a", -0.05), insight("c", "a", -0.06)).pins == (Pin(model_id="a", task="code"),)


def test_a_model_that_was_not_compared_with_every_other_one_is_not_pinned() -> None:
    with pytest.raises(RequestError, match="1 insights from exp-1 add no rule: no difference is certain enough"):
        propose(insight("a", "b", 0.05))


def test_a_lead_that_may_be_smaller_than_the_margin_pins_nothing() -> None:
    with pytest.raises(RequestError, match=r"a pin needs a lead of 0.02 over every other model"):
        propose(insight("a", "b", 0.05), insight("a", "c", 0.03))


def test_a_model_that_is_certainly_much_worse_is_excluded() -> None:
    assert propose(insight("a", "b", 0.13)).exclusions == (Exclusion(model_id="b", task="code"),)


def test_an_excluded_model_needs_no_comparison_for_a_pin() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="c"),))
    assert propose(insight("a", "b", 0.05), rules=rules).pins == (Pin(model_id="a", task="code"),)


def test_models_that_beat_each_other_in_a_circle_are_all_kept() -> None:
    with pytest.raises(RequestError, match="add no rule"):
        propose(insight("a", "b", 0.2), insight("b", "c", 0.2), insight("c", "a", 0.2))


def test_sources_are_pooled_by_their_precision() -> None:
    # 0.16 +- 0.02 and 0.06 +- 0.04 weigh 4 : 1 -> 0.14 +- 0.0179: the low end 0.122 is beyond 0.1
    strong = insight("a", "b", 0.16, 0.02), insight("a", "b", 0.06, 0.04, source="exp-2")
    assert propose(*strong).exclusions == (Exclusion(model_id="b", task="code"),)
    # the same with equal widths: 0.11 +- 0.0141 is not
    with pytest.raises(RequestError, match="from exp-1, exp-2 add no rule"):
        propose(insight("a", "b", 0.16, 0.02), insight("a", "b", 0.06, 0.02, source="exp-2"))


def test_the_last_word_of_a_source_counts() -> None:
    with pytest.raises(RequestError, match="add no rule"):
        propose(insight("a", "b", 0.3), insight("a", "b", 0.01))


def test_a_quality_becomes_a_prior_of_bounded_strength() -> None:
    found = propose(
        insight("a", "b", 0.0, quality=0.6, n=300), insight("a", "c", 0.0, quality=0.8, n=100, source="exp-2")
    )
    assert found.priors == (QualityPrior(model_id="a", quality=0.65, strength=100, task="code"),)


def test_a_few_questions_make_a_weak_prior() -> None:
    found = propose(insight("a", "b", 0.0, 0.3, quality=0.5, n=12))
    assert found.priors[0].strength == 12


def test_a_new_prior_takes_the_place_of_the_old_one() -> None:
    old, other = QualityPrior(model_id="a", quality=0.1, task="code"), QualityPrior(model_id="a", quality=0.1)
    found = propose(insight("a", "b", 0.0, quality=0.5), rules=RoutingRules(priors=(old, other)))
    assert [(one.task, one.quality) for one in found.priors] == [(None, 0.1), ("code", 0.5)]


def test_rules_in_force_stay() -> None:
    rules = RoutingRules(pins=(Pin(model_id="b", task="math"),), holdout_share=0.2, explore=False)
    found = propose(insight("a", "b", 0.13), rules=rules)
    assert (found.pins, found.holdout_share, found.explore) == (rules.pins, 0.2, False)


def test_a_pin_in_force_is_neither_moved_nor_excluded() -> None:
    rules = RoutingRules(pins=(Pin(model_id="b", task="code"),))
    with pytest.raises(RequestError, match="or the rules in force say so already"):
        propose(insight("a", "b", 0.3), rules=rules, fleet=("a", "b"))


def test_an_exclusion_in_force_is_not_lifted_by_a_pin() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="a"),))
    with pytest.raises(RequestError, match="add no rule"):
        propose(insight("a", "b", 0.3), insight("a", "c", 0.3), rules=rules)


def test_an_insight_on_a_model_that_the_fleet_does_not_have_is_named() -> None:
    with pytest.raises(
        RequestError, match=r"insights\[1\].other_model_id: the model 'z' does not exist; known: a, b, c"
    ):
        propose(insight("a", "b", 0.3), insight("a", "z", 0.3))


def test_exclusions_that_would_leave_a_task_without_a_model_are_not_made() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="c", task="math"),))
    found = propose(insight("c", "a", 0.3, task=None), insight("c", "b", 0.3, task=None), rules=rules)
    assert (found.exclusions, found.pins) == (rules.exclusions, (Pin(model_id="c"),))


@given(
    st.lists(
        st.builds(
            lambda pair, mean, width, task: insight(*pair, mean, width, task=task),
            st.sampled_from([("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")]),
            st.floats(-1, 1),
            st.floats(0, 0.5),
            st.sampled_from([None, "code", "math"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([(), (Pin(model_id="c"),), (Pin(model_id="c", task="code"),)]),
)
def test_whatever_the_insights_say_the_rules_are_consistent_and_leave_a_model(
    insights: list[Insight], pins: tuple[Pin, ...]
) -> None:
    rules = RoutingRules(pins=pins)
    try:
        found = propose(*insights, rules=rules)
    except RequestError:
        return
    assert set(pins) <= set(found.pins)
    for task in (None, *TASK_TYPES):
        assert {one.model_id for one in found.exclusions if one.task in (None, task)} < set(FLEET)
