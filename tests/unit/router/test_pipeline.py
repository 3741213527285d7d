from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestPlan, LiveTestSpec
from neuroforge.contracts.models import ModelState
from neuroforge.contracts.routing import Decision, FleetSnapshot, Outcome, PromptTag, RouteOptions
from neuroforge.contracts.rules import Exclusion, Pin, RoutingRules
from neuroforge.errors import DataError, EngineUnavailable, ModelNotFound, RequestError
from neuroforge.router.belief import Fitted
from neuroforge.router.classify import load_seeds
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import FeatureMatrix
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.pipeline import FAILURES, LEFT_OUT, LearnedRouter, RouterOptions
from tests.fakes import FakeClock, FakeMetrics, endpoint, routing_request, snapshot
from tests.unit.router.test_predict import FakeFitted, FakeQuality
from tests.unit.router.tiny import word_embedder
from tests.unit.router.weighing import learner_snapshot, posterior

CODE = {"messages": [{"role": "user", "content": "Write a python function def add(a, b): that adds"}]}
FLEET = snapshot(endpoint("a"), endpoint("b"), version=4)


class BrokenFitted(FakeFitted):
    """Works as long as there is no word."""

    def predict(self, features: FeatureMatrix) -> FakeQuality:
        if len(features.tokens):
            raise ZeroDivisionError("oops")
        return super().predict(features)


def load_fitted(data: bytes, embedder_hash: str) -> Fitted:
    if data == b"broken":
        return BrokenFitted()
    if data != b"good":
        raise DataError(f"a router of another embedder than {embedder_hash[:4]}")
    return FakeFitted()


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    words = sorted({word.lower() for text in load_seeds()[0] for word in text.split() if word.isalpha()})
    return word_embedder(Path(tmp_path_factory.mktemp("embedder")), words, dimension=64)


@pytest.fixture
def metrics() -> FakeMetrics:
    return FakeMetrics()


@pytest.fixture
def router(metrics: FakeMetrics) -> LearnedRouter:
    return LearnedRouter(FakeClock(), FakeClock(5000.0), metrics, load_fitted, RouterOptions())


@pytest.fixture
def learned(router: LearnedRouter, embedder: StaticEmbedder) -> LearnedRouter:
    """`a` is at 0.8, `b` at 0.4."""
    router.knowledge.equip(embedder)
    router.knowledge.take(learner_snapshot(version=7, fit_id="f", fit=b"good"))
    return router


def ask(**changes: Any) -> Any:
    return routing_request(**{"body": CODE, "policy": "auto:best", **changes})


def finish(router: LearnedRouter, decision: Decision, **changes: Any) -> None:
    values: dict[str, Any] = {
        "decision_id": decision.decision_id,
        "request_id": decision.request_id,
        "model_id": decision.model_id,
        "policy": decision.policy,
        "status": 200,
        "n_prompt_tokens": 20,
        "n_completion_tokens": 30,
        "latency_s": 1.0,
    }
    router.started(decision)
    router.finished(Outcome(**{**values, **changes}))


def test_before_the_first_snapshot_the_fastest_answers(router: LearnedRouter) -> None:
    decision = router.decide(ask(), FLEET)
    assert (decision.reason, decision.router_version, decision.profile) == ("router_unavailable", 0, None)


def test_the_better_model_is_chosen_and_the_decision_explains_it(learned: LearnedRouter) -> None:
    decision = learned.decide(ask(), FLEET)
    assert (decision.model_id, decision.reason, decision.router_version) == ("a", "utility", 7)
    assert decision.profile is not None
    assert decision.profile.task_type == "code"
    qualities = [one.prediction.quality for one in decision.candidates if one.prediction is not None]
    assert qualities == pytest.approx([0.8, 0.4])
    assert all(one.utility is not None for one in decision.candidates)


def test_a_named_model_and_an_only_one_need_no_features(learned: LearnedRouter) -> None:
    named = learned.decide(routing_request("b", body=CODE), FLEET)
    only = learned.decide(ask(), snapshot(endpoint("b"), endpoint("cold", state=ModelState.UNLOADED)))
    assert [(one.model_id, one.reason, one.profile) for one in (named, only)] == [
        ("b", "explicit", None),
        ("b", "only_candidate", None),
    ]


def test_what_is_recorded_tells_the_prompt_that_was_named(learned: LearnedRouter) -> None:
    tag = PromptTag(name="sense", version=3)
    chosen = learned.decide(ask(prompt=tag), FLEET)
    named = learned.decide(routing_request("a", prompt=tag), FLEET)
    assert (chosen.prompt, named.prompt) == (tag, tag)
    finish(learned, chosen)
    (finished,) = learned.buffer.take(5)
    assert finished.decision.prompt == tag


def test_even_an_only_model_keeps_the_bounds(learned: LearnedRouter) -> None:
    with pytest.raises(RequestError, match=r"min_quality 0.9; the nearest feasible is min_quality 0.4"):
        learned.decide(ask(route=RouteOptions(min_quality=0.9)), snapshot(endpoint("b")))


def test_an_unknown_candidate_is_named_with_the_known_ones(learned: LearnedRouter) -> None:
    with pytest.raises(ModelNotFound, match="'c' does not exist; known: a, b"):
        learned.decide(ask(route=RouteOptions(candidates=("a", "c"))), FLEET)


def test_only_the_requests_candidates_take_part(learned: LearnedRouter) -> None:
    decision = learned.decide(ask(route=RouteOptions(candidates=("b",))), FLEET)
    assert (decision.model_id, decision.candidates[0].filtered) == ("b", "not_a_candidate")


def test_embeddings_go_to_the_fastest(learned: LearnedRouter) -> None:
    able = frozenset({"embedding"})
    fleet = snapshot(endpoint("a", capabilities=able), endpoint("b", capabilities=able))
    decision = learned.decide(ask(requirements=able, body={"input": "x"}), fleet)
    assert (decision.reason, decision.profile) == ("expected_latency", None)


def test_a_learned_part_that_breaks_leaves_the_gateway_serving(
    router: LearnedRouter, embedder: StaticEmbedder, metrics: FakeMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    router.knowledge.equip(embedder)
    router.knowledge.take(learner_snapshot(fit_id="f", fit=b"broken"))
    reasons = [router.decide(ask(), FLEET).reason for _ in range(3)]
    assert reasons == ["router_unavailable"] * 3
    assert metrics.counts[FAILURES] == 3
    assert len(caplog.records) == 1


def test_of_a_bad_snapshot_only_the_rules_are_taken(learned: LearnedRouter) -> None:
    with pytest.raises(DataError):
        learned.knowledge.take(
            learner_snapshot(version=8, fit_id="g", fit=b"other", rules=RoutingRules(version=2, explore=False))
        )
    decision = learned.decide(ask(), FLEET)
    assert (decision.model_id, decision.router_version, decision.rules_version) == ("a", 7, 2)
    assert learned.knowledge.known == (7, "f")


def test_posteriors_of_another_fit_are_refused_before_a_request_meets_them(learned: LearnedRouter) -> None:
    stranger = OnlinePosterior(np.ones(3)).to_bytes()
    with pytest.raises(DataError, match="posteriors of 3 coefficients"):
        learned.knowledge.take(learner_snapshot(version=8, fit_id="f", online=stranger))
    assert learned.decide(ask(), FLEET).router_version == 7


def test_rules_hold_before_the_embedder_is_there(router: LearnedRouter) -> None:
    router.knowledge.take(
        learner_snapshot(version=2, rules=RoutingRules(version=3, exclusions=(Exclusion(model_id="a"),)))
    )
    decision = router.decide(ask(), FLEET)
    assert (decision.model_id, decision.rules_version, decision.candidates[0].filtered) == ("b", 3, "excluded_by_rule")


def test_a_pin_for_every_task_holds_without_an_embedder(router: LearnedRouter) -> None:
    router.knowledge.take(learner_snapshot(version=2, rules=RoutingRules(pins=(Pin(model_id="b"),))))
    assert {router.decide(ask(), FLEET).model_id for _ in range(4)} == {"b"}


def test_a_snapshot_that_came_before_the_embedder_is_used_after_it(
    router: LearnedRouter, embedder: StaticEmbedder
) -> None:
    router.knowledge.take(learner_snapshot(version=2, fit_id="f", fit=b"good"))
    router.knowledge.take(learner_snapshot(version=3, fit_id="f"))
    router.knowledge.equip(embedder)
    decision = router.decide(ask(), FLEET)
    assert (decision.model_id, decision.router_version, router.knowledge.known) == ("a", 3, (3, "f"))


def test_without_predictions_bounds_of_speed_hold_and_one_of_quality_says_try_again(router: LearnedRouter) -> None:
    with pytest.raises(RequestError, match="max_latency_s"):
        router.decide(ask(route=RouteOptions(max_latency_s=0.001)), FLEET)
    with pytest.raises(EngineUnavailable, match="min_quality cannot be judged yet"):
        router.decide(ask(route=RouteOptions(min_quality=0.5)), FLEET)


def test_outcomes_are_learned_at_once_and_another_model_wins(learned: LearnedRouter) -> None:
    online = posterior([("a", -0.7), ("b", 0.4)]).to_bytes()
    learned.knowledge.take(learner_snapshot(version=8, fit_id="f", online=online))
    assert learned.decide(ask(), FLEET).model_id == "b"


def test_the_next_turn_stays_with_the_warm_model(learned: LearnedRouter) -> None:
    fleet = snapshot(endpoint("a"), endpoint("b"))
    first = learned.decide(ask(policy="auto:fast", route=RouteOptions(candidates=("b",), min_quality=0.1)), fleet)
    finish(learned, first, n_prompt_tokens=4000, ttft_s=4.0, latency_s=4.1)
    later = {"messages": [*CODE["messages"], {"role": "assistant", "content": "ok"}, {"role": "user", "content": "go"}]}
    views = {one.model_id: one for one in learned.decide(ask(policy="auto:fast", body=later), fleet).candidates}
    assert views["a"].utility is not None
    assert views["b"].utility is not None
    assert views["a"].utility.prefix > views["b"].utility.prefix == 0.0


def test_a_finished_request_is_recorded_once_with_what_the_learner_needs(learned: LearnedRouter) -> None:
    decision = learned.decide(ask(actor="k1"), FLEET)
    finish(learned, decision)
    finish(learned, decision)
    (finished,) = learned.buffer.take(10)
    assert finished.described is not None
    assert finished.described.base_quality == pytest.approx(0.8)
    assert (finished.actor, finished.turns, finished.aside, finished.at_s) == ("k1", (), None, 5000.0)


def test_a_named_models_request_is_described_aside(learned: LearnedRouter) -> None:
    finish(learned, learned.decide(routing_request("b", body=CODE), FLEET))
    (finished,) = learned.buffer.take(1)
    assert finished.aside is not None
    assert finished.aside.request.body is None
    described = learned.describe(finished)
    assert described.described is not None
    assert described.described.base_quality == pytest.approx(0.4)
    assert described.decision.profile is not None
    assert described.decision.router_version == 7


def test_a_flood_of_named_requests_is_described_in_part_only(learned: LearnedRouter) -> None:
    for _ in range(100):
        finish(learned, learned.decide(routing_request("b", body=CODE), FLEET))
    assert sum(one.aside is not None for one in learned.buffer.take(100)) == 20


def test_nothing_is_recorded_where_nothing_may_be_kept(embedder: StaticEmbedder) -> None:
    router = LearnedRouter(FakeClock(), FakeClock(), FakeMetrics(), load_fitted, RouterOptions(record="none"))
    finish(router, router.decide(routing_request("b", body=CODE), FLEET))
    assert len(router.buffer) == 0


def test_an_empty_prompt_and_one_of_token_ids_are_decided(learned: LearnedRouter) -> None:
    bodies: list[Any] = [{"messages": [{"role": "user", "content": ""}]}, {"prompt": [1, 2, 3]}, None]
    assert {learned.decide(ask(body=body), FLEET).model_id for body in bodies} == {"a"}


class TestLiveTests:
    """Which requests take part is test_assign's matter."""

    def routed(self, router: LearnedRouter, fleet: FleetSnapshot = FLEET, **changes: Any) -> Decision:
        arms = (LiveTestArm(name="control", model_id="a"), LiveTestArm(name="other", model_id="b"))
        spec = LiveTestSpec(name="t", target="a", arms=arms, **changes)
        router.knowledge.take(learner_snapshot(version=9, live_tests=(LiveTestPlan(spec=spec, weights=(0.0, 1.0)),)))
        return router.decide(routing_request("a", can_be_tested=True), fleet)

    def test_the_arms_model_answers_in_the_named_ones_place(self, router: LearnedRouter) -> None:
        decision = self.routed(router)

        assert (decision.model_id, decision.reason, decision.policy) == ("b", "live_test", "explicit")

    @pytest.mark.parametrize("state", [ModelState.UNLOADED, ModelState.FAILED])
    def test_an_arm_that_is_not_ready_leaves_the_request_as_it_was(
        self, router: LearnedRouter, metrics: FakeMetrics, state: ModelState
    ) -> None:
        decision = self.routed(router, snapshot(endpoint("a"), endpoint("b", state=state)))

        assert (decision.model_id, decision.live_test) == ("a", None)
        assert metrics.counts[LEFT_OUT] == 1

    def test_an_arm_that_the_key_may_not_use_leaves_the_request_as_it_was(self, router: LearnedRouter) -> None:
        self.routed(router)

        decision = router.decide(routing_request("a", can_be_tested=True, allowed_models=frozenset({"a"})), FLEET)

        assert decision.model_id == "a"

    def test_a_shadows_control_is_noted_on_the_decision_that_answers(self, router: LearnedRouter) -> None:
        decision = self.routed(router, mode="shadow", metric="success")

        assert decision.live_test is not None
        assert (decision.model_id, decision.reason, decision.live_test.arm) == ("a", "explicit", "control")
        finish(router, decision)
        (finished,) = router.buffer.take(10)
        assert finished.decision.live_test == decision.live_test
