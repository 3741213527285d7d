import pytest
from pydantic import ValidationError

from neuroforge.contracts.rules import Exclusion, Pin, QualityPrior, RoutingRules, Threshold, check_models
from neuroforge.errors import RequestError
from neuroforge.router.rules import RulesView, diff_rules, same_demands


def test_a_pin_for_the_task_comes_before_the_one_for_every_task() -> None:
    view = RulesView(RoutingRules(pins=(Pin(model_id="all"), Pin(model_id="coder", task="code"))))
    assert (view.pin("code"), view.pin("math"), view.pin(None)) == ("coder", "all", "all")


def test_without_a_pin_there_is_none() -> None:
    assert RulesView(RoutingRules(pins=(Pin(model_id="coder", task="code"),))).pin("math") is None


def test_a_model_that_is_excluded_for_a_task_is_not_pinned_there() -> None:
    rules = RoutingRules(pins=(Pin(model_id="all"),), exclusions=(Exclusion(model_id="all", task="code"),))
    assert (RulesView(rules).pin("code"), RulesView(rules).pin("math")) == (None, "all")


def test_exclusions_hold_for_their_task_and_those_without_one_for_all() -> None:
    view = RulesView(RoutingRules(exclusions=(Exclusion(model_id="a", task="code"), Exclusion(model_id="b"))))
    assert (view.excluded("code"), view.excluded("math"), view.excluded(None)) == ({"a", "b"}, {"b"}, {"b"})
    assert view.is_excluded("a", "code")
    assert not view.is_excluded("a", None)


def test_of_several_thresholds_the_tightest_bound_of_each_kind_counts() -> None:
    general = Threshold(min_quality=0.5, max_latency_s=10)
    of_code = Threshold(task="code", min_quality=0.4, max_latency_s=3, max_cost_usd=0.1)
    view = RulesView(RoutingRules(thresholds=(general, of_code)))
    assert view.threshold("code") == Threshold(min_quality=0.5, max_latency_s=3, max_cost_usd=0.1)
    assert view.threshold("math") == Threshold(min_quality=0.5, max_latency_s=10)


def test_a_prior_for_the_task_comes_before_the_one_for_every_task() -> None:
    general, of_code = QualityPrior(model_id="a", quality=0.3), QualityPrior(model_id="a", quality=0.6, task="code")
    view = RulesView(RoutingRules(priors=(general, of_code)))
    assert (view.prior("a", "code"), view.prior("a", "math"), view.prior("b", "code")) == (of_code, general, None)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"pins": [{"model_id": "a"}, {"model_id": "b"}]}, "two pins for every task"),
        ({"priors": [{"model_id": "a", "quality": 0.1}] * 2}, "two priors for a on every task"),
        ({"thresholds": [{"task": "code"}] * 2}, "two thresholds for code"),
        (
            {"pins": [{"model_id": "a", "task": "code"}], "exclusions": [{"model_id": "a"}]},
            "'a' is both pinned and excluded for code",
        ),
        ({"pins": [{"model_id": "a", "task": "cooking"}]}, "'code', 'math'"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(fields: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RoutingRules.model_validate(fields)


def test_a_rule_for_an_unknown_model_names_the_rule_and_the_known_ones() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="a"), Exclusion(model_id="bb")))
    with pytest.raises(
        RequestError, match=r"exclusions\[1\].model_id: the model 'bb' does not exist; known: a, b"
    ) as error:
        check_models(rules, ("b", "a"))
    assert (error.value.context["param"], error.value.context["known"]) == ("exclusions[1].model_id", ["a", "b"])


def test_excluding_every_model_from_a_task_is_refused() -> None:
    rules = RoutingRules(exclusions=(Exclusion(model_id="a"), Exclusion(model_id="b", task="code")))
    with pytest.raises(RequestError, match="no model would be left for the task 'code'; leave one of a, b in"):
        check_models(rules, ("a", "b"))


def test_rules_that_name_known_models_only_pass() -> None:
    check_models(RoutingRules(pins=(Pin(model_id="a"),), priors=(QualityPrior(model_id="b", quality=1),)), ("a", "b"))


def test_a_diff_has_one_line_a_rule_that_goes_comes_or_changes() -> None:
    old = RoutingRules(exclusions=(Exclusion(model_id="tiny", task="math"), Exclusion(model_id="old")), explore=True)
    new = RoutingRules(
        pins=(Pin(model_id="qwen", task="code"),),
        exclusions=(Exclusion(model_id="old"),),
        priors=(QualityPrior(model_id="qwen", quality=0.7, strength=50),),
        thresholds=(Threshold(task="chat", max_latency_s=2, min_quality=0.25),),
        explore=False,
        holdout_share=0.1,
    )
    assert diff_rules(old, new) == (
        "- exclude math: tiny",
        "+ pin code: qwen",
        "+ prior every task: qwen = 0.7 (as 50 outcomes)",
        "+ threshold chat: min_quality 0.25, max_latency_s 2",
        "~ holdout_share: 0.05 -> 0.1",
        "~ explore: true -> false",
    )


def test_version_and_reason_are_no_difference() -> None:
    old, new = RoutingRules(version=3, reason="a"), RoutingRules(reason="b", evidence="c", created_at_s=5)
    assert diff_rules(old, new) == ()
    assert same_demands(old, new)
    assert not same_demands(old, RoutingRules(explore=False))
