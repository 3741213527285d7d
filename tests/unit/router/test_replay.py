import numpy as np
import pytest

from neuroforge.contracts.rules import Estimate, Exclusion, Pin, ReplayReport, RoutingRules
from neuroforge.router.choices import RulesPolicy
from neuroforge.router.replay import (
    Terms,
    effective_sample_size,
    estimate,
    is_proven,
    predicted_gain,
    refusal,
    replay,
)
from tests.unit.router.logged import decision, drawn, plain, scored, view

NONE = RoutingRules()
OLD = RulesPolicy(NONE, {0: NONE})


def pinned(model_id: str) -> RulesPolicy:
    return RulesPolicy(RoutingRules(pins=(Pin(model_id=model_id),)), {0: NONE})


def report(low: float, high: float, effective: float = 500, unsupported: float = 0.0) -> ReplayReport:
    some = Estimate(mean=0.5, low=0.4, high=0.6, n=1000)
    return ReplayReport(
        value=some,
        baseline=some,
        difference=Estimate(mean=(low + high) / 2, low=low, high=high, n=1000),
        effective_sample_size=effective,
        n_changed=600,
        unsupported_share=unsupported,
    )


def test_a_doubly_robust_term_is_prediction_plus_weighted_residual() -> None:
    # q = .6, .4; mu(b) = .25; score 1. Under "b": .4 + 1/.25 * (1 - .4) = 2.8; old: .75*.6 + .25*.4 + (1 - .4) = 1.15
    found = replay([scored("b", 1.0, {"a": 0.75, "b": 0.25}, a=0.6, b=0.4)], OLD, pinned("b"))
    assert found.value.mean == pytest.approx(2.8)
    assert found.baseline.mean == pytest.approx(1.15)
    assert found.difference.mean == pytest.approx(1.65)


def test_the_interval_is_that_of_the_paired_terms() -> None:
    # b twice, a twice, mu = 1/2 each, q = .5. New terms: .5 + 2 * (score - .5) for b, .5 for a.
    log = [scored(model, score, {"a": 0.5, "b": 0.5}) for model, score in (("b", 1), ("b", 0.5), ("a", 0), ("a", 0.5))]
    found = replay(log, OLD, pinned("b"))
    new, old = np.array([1.5, 0.5, 0.5, 0.5]), np.array([1.0, 0.5, 0.0, 0.5])
    error = (new - old).std(ddof=1) / 2
    assert found.difference.mean == pytest.approx(0.25)
    assert found.difference.high - found.difference.mean == pytest.approx(1.959964 * error)
    assert (found.difference.n, found.n_changed) == (4, 4)


def test_a_decision_counts_by_its_weight() -> None:
    # both earn their score under a policy that changes nothing: (3 * 1 + 1 * 0) / 4
    log = [plain("a", 1.0)._replace(weight=0.3), plain("a", 0.0)._replace(weight=0.1)]
    assert replay(log, OLD, OLD).value.mean == pytest.approx(0.75)


def test_holdout_decisions_count_with_the_whole_propensity() -> None:
    shares = {"a": 0.95, "b": 0.05}
    held = scored("b", 1.0, shares)
    found = replay(
        [held._replace(decision=decision("b", *held.decision.candidates, reason="holdout"))], OLD, pinned("b")
    )
    assert found.value.mean == pytest.approx(0.5 + (1 - 0.5) / 0.05)


def test_effective_sample_size_of_equal_weights_is_their_number() -> None:
    assert effective_sample_size(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_sample_size(np.array([1.0, 3.0])) == pytest.approx(16 / 10)
    assert effective_sample_size(np.zeros(3)) == 0


def test_only_decisions_that_change_make_up_the_effective_sample_size() -> None:
    rules = RulesPolicy(RoutingRules(pins=(Pin(model_id="b", task="code"),)), {0: NONE})
    shares = {"a": 0.5, "b": 0.5}
    log = (
        [scored("a", 1.0, shares, task="math")] * 500 + [scored("b", 1.0, shares)] * 40 + [scored("a", 1.0, shares)] * 9
    )
    found = replay(log, OLD, rules)
    assert (found.effective_sample_size, found.n_changed, found.value.n) == (pytest.approx(40), 49, 549)


def test_decisions_that_do_not_change_make_no_difference() -> None:
    log = [scored("a", score, {"a": 0.5, "b": 0.5}) for score in (0.0, 1.0)] * 50
    found = replay(log, OLD, RulesPolicy(RoutingRules(pins=(Pin(model_id="b", task="math"),)), {0: NONE}))
    assert (found.difference.mean, found.difference.low, found.difference.high, found.n_changed) == (0, 0, 0, 0)


def test_unscored_and_explicit_decisions_do_not_count() -> None:
    log = [scored("a", None, {"a": 1.0}), plain("a", 1.0, "explicit"), plain("a", 1.0, "fallback"), plain("a", 0.25)]
    found = replay(log, OLD, OLD)
    assert (found.value.n, found.value.mean) == (1, 0.25)


def test_an_empty_log_gives_a_report_of_nothing() -> None:
    found = replay([], OLD, pinned("a"))
    assert (found.value.n, found.effective_sample_size) == (0, 0)


def test_a_choice_that_the_log_could_not_make_is_unsupported() -> None:
    log = [plain("a", 1.0)._replace(decision=decision("a", view("a"), view("b"), exploration="off"))] * 200
    found = replay(log, OLD, pinned("b"))
    assert (found.unsupported_share, found.effective_sample_size, found.n_changed) == (1.0, 0.0, 200)


def test_refused_requests_earn_nothing() -> None:
    only = RulesPolicy(RoutingRules(exclusions=(Exclusion(model_id="a"),)), {0: NONE})
    assert replay([plain("a", 0.75)] * 2, OLD, only).value.mean == 0


def test_below_100_the_refusal_names_the_number() -> None:
    told = refusal(report(0.1, 0.2, effective=99.94))
    assert told == (
        "not enough evidence: effective sample size 99.9 over 600 decisions that would change (of 1000 scored), "
        "100 are needed"
    )
    assert refusal(report(0.1, 0.2, effective=100)) is None


def test_choices_that_rest_on_predictions_alone_are_refused() -> None:
    assert "not enough evidence: 6% of the changed choices" in str(refusal(report(0.1, 0.2, unsupported=0.06)))
    assert refusal(report(0.1, 0.2, unsupported=0.05)) is None


def test_a_certain_loss_is_refused_and_an_uncertain_one_is_not() -> None:
    assert refusal(report(-0.2, -0.1)) == "the replay shows a loss of quality: -0.150 [-0.200, -0.100] on 1000"
    assert refusal(report(-0.2, 0.1)) is None


def test_a_gain_is_proven_only_above_0_and_on_enough_evidence() -> None:
    assert is_proven(report(0.01, 0.1))
    assert not is_proven(report(0.0, 0.1))
    assert not is_proven(report(0.01, 0.1, effective=99))


def test_the_predicted_gain_of_a_decision_is_the_difference_of_expected_predictions() -> None:
    # old: .75 * .6 + .25 * .4 = .55, new: .4
    found = predicted_gain(drawn("a", {"a": 0.75, "b": 0.25}, a=0.6, b=0.4), OLD, pinned("b"))
    assert found == pytest.approx(-0.15)


def test_what_the_router_did_not_choose_predicts_no_gain() -> None:
    assert predicted_gain(plain("a", None, "explicit").decision, OLD, pinned("a")) is None


@pytest.mark.parametrize("bias", [0.0, 0.3], ids=["good predictions", "bad predictions"])
def test_the_interval_covers_the_true_difference_about_95_times_in_100(bias: float) -> None:
    """Two kinds of requests, three models, scores 0 or 1; propensities exact, as low as 1 %."""
    truth = np.array([[0.8, 0.5, 0.3], [0.2, 0.6, 0.4]])
    predicted = np.clip(truth + bias * np.array([[1, -1, 1], [1, 1, -1]]), 0, 1)
    mu = np.array([[0.70, 0.29, 0.01], [0.35, 0.35, 0.30]])
    new = np.array([[0.30, 0.65, 0.05], [0.0, 1.0, 0.0]])
    true_difference = ((new - mu) * truth).sum(axis=1).mean()
    rng = np.random.default_rng(0)
    n, runs, n_covered = 800, 1000, 0
    for _ in range(runs):
        kind = rng.integers(2, size=n)
        chosen = (rng.random(n)[:, None] > mu[kind].cumsum(axis=1)).sum(axis=1).clip(max=2)
        scores = (rng.random(n) < truth[kind, chosen]).astype(float)
        found = estimate(Terms(predicted[kind], mu[kind], new[kind], mu[kind], chosen, scores, np.ones(n))).difference
        n_covered += found.low <= true_difference <= found.high
    assert 0.93 <= n_covered / runs <= 0.97


def test_bad_predictions_do_not_bias_the_value() -> None:
    """Plain averaging of the predictions would say 0.9; the truth is 0.5."""
    rng = np.random.default_rng(0)
    n, mu = 20_000, np.array([0.8, 0.2])
    chosen = (rng.random(n) > 0.8).astype(np.intp)
    scores = (rng.random(n) < np.array([0.7, 0.5])[chosen]).astype(float)
    matrix = np.ones((n, 1))
    found = estimate(
        Terms(matrix * [0.9, 0.9], matrix * mu, matrix * [0.0, 1.0], matrix * mu, chosen, scores, np.ones(n))
    )
    assert found.value.mean == pytest.approx(0.5, abs=0.03)
