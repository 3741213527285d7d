"""Nothing learns its way around a rule: over any predictions, certainties, loads, policies and seeds."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuroforge.contracts.routing import Decision, Policy, Prediction, RouteOptions, RoutingRequest
from neuroforge.contracts.rules import Exclusion, Pin, RoutingRules, Threshold
from neuroforge.contracts.tasks import TaskType
from neuroforge.errors import RequestError
from neuroforge.router.belief import Belief
from neuroforge.router.choices import RulesPolicy, logged_shares
from neuroforge.router.filter import Verdict
from neuroforge.router.latency import LatencyEstimator
from neuroforge.router.rules import RulesView
from neuroforge.router.select import AdaptiveLoadBalancer, Candidate
from neuroforge.router.views import show_candidates
from tests.fakes import endpoint
from tests.unit.router.logged import profile

MODELS = ("a", "b", "c", "d")
TASKS: tuple[TaskType, ...] = ("code", "math")
UNIT = st.floats(0, 1)
models, tasks = st.sampled_from(MODELS), st.sampled_from((*TASKS, None))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for model_id in MODELS:
        prediction = Prediction(
            model_id=model_id,
            quality=draw(UNIT),
            quality_low=0,
            quality_high=1,
            quality_std=draw(st.floats(0, 0.5)),
            n_outcomes=draw(st.floats(0, 1000)),
            n_output_tokens=50,
            ttft_s=0.1,
            s_per_token=0.01,
            latency_s=draw(st.floats(0.1, 20)),
            cost_usd=draw(st.sampled_from([0.0, 0.001, 0.02])),
        )
        found.append(Candidate(endpoint(model_id), prediction, 0.0, draw(st.integers(0, 3))))
    return found


@st.composite
def rules(draw: st.DrawFn) -> RoutingRules:
    exclusions = draw(st.lists(st.builds(Exclusion, model_id=models, task=tasks), max_size=3))
    pins = draw(st.lists(st.builds(Pin, model_id=models, task=tasks), max_size=2, unique_by=lambda one: one.task))
    excluded = {(one.model_id, one.task) for one in exclusions}
    assume(not any((pin.model_id, task) in excluded for pin in pins for task in (pin.task, None)))
    bounds = draw(st.lists(st.builds(Threshold, task=tasks, min_quality=UNIT), max_size=1))
    return RoutingRules(
        version=1,
        exclusions=tuple(exclusions),
        pins=tuple(pins),
        thresholds=tuple(bounds),
        explore=draw(st.booleans()),
        holdout_share=draw(st.sampled_from([0.0, 0.05, 0.5])),
        quality_floor=draw(st.sampled_from([0.0, 0.1, 1.0])),
    )


requests = st.builds(
    lambda request_id, policy, explore: RoutingRequest(
        request_id=request_id, policy=policy, route=RouteOptions(explore=explore)
    ),
    st.uuids().map(str),
    st.sampled_from(["auto", "auto:best", "auto:fast", "auto:cheap"]),
    st.booleans(),
)


def decide(
    request: RoutingRequest, task: TaskType, field: list[Candidate], wanted: RoutingRules, best: str
) -> Decision:
    """As LearnedRouter, from the predictions on. Raises RequestError: the rules leave nothing."""
    belief = Belief(version=7, rules=RulesView(wanted), best_single=best)
    chosen = AdaptiveLoadBalancer(seed=3).select_optimal(request, task, field, belief)
    views = show_candidates(
        tuple(Verdict(one.endpoint, None) for one in field), field, chosen, LatencyEstimator(lambda: 0.0)
    )
    policy: Policy = request.policy
    return Decision(
        decision_id="d",
        request_id=request.request_id,
        model_id=field[chosen.place].endpoint.model_id,
        policy=policy,
        reason=chosen.reason,
        snapshot_version=1,
        candidates=views,
        profile=profile(task),
        propensity=None if chosen.propensities is None else chosen.propensities[chosen.place],
        exploration=chosen.exploration,
        rules_version=wanted.version,
        holdout_model=None if chosen.holdout_place is None else MODELS[chosen.holdout_place],
    )


@settings(max_examples=300, deadline=None)
@given(requests, st.sampled_from(TASKS), candidates(), rules(), models)
def test_an_excluded_model_is_never_chosen_and_a_pinned_one_always(
    request: RoutingRequest, task: TaskType, field: list[Candidate], wanted: RoutingRules, best: str
) -> None:
    view = RulesView(wanted)
    try:
        found = decide(request, task, field, wanted, best)
    except RequestError:
        least = view.threshold(task).min_quality or 0.0
        assert all(view.is_excluded(one.endpoint.model_id, task) or one.prediction.quality < least for one in field)
        return
    assert not view.is_excluded(found.model_id, task)
    shares = logged_shares(found) or {}
    assert not any(view.is_excluded(model_id, task) for model_id in shares)
    pin = view.pin(task)
    if any(one.model_id == pin and one.filtered is None for one in found.candidates):
        assert shares == {pin: 1.0}


@settings(max_examples=300, deadline=None)
@given(requests, st.sampled_from(TASKS), candidates(), rules(), models)
def test_a_replay_chooses_with_the_probabilities_that_the_live_router_would(
    request: RoutingRequest, task: TaskType, field: list[Candidate], wanted: RoutingRules, best: str
) -> None:
    """Logged without rules but full exploration; then the same request decided live under rules, and by replay."""
    open_rules = RoutingRules(quality_floor=1.0)
    log = decide(request, task, field, open_rules, best)
    logged = logged_shares(log)
    assert logged is not None
    replayed = RulesPolicy(wanted, {0: open_rules}).choose(log, logged)
    try:
        live = logged_shares(decide(request, task, field, wanted, best))
    except RequestError:
        live = {}
    assert dict(replayed) == pytest.approx(live, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(requests, st.sampled_from(TASKS), candidates(), rules(), models)
def test_the_rules_in_force_replay_as_they_were_logged(
    request: RoutingRequest, task: TaskType, field: list[Candidate], wanted: RoutingRules, best: str
) -> None:
    try:
        log = decide(request, task, field, wanted, best)
    except RequestError:
        return
    logged = logged_shares(log)
    assert logged is not None
    assert RulesPolicy(wanted, {1: wanted}).choose(log, logged) == logged
