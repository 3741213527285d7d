from typing import Any

import pytest

from neuroforge.contracts.models import ModelState
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.errors import ModelNotFound
from neuroforge.router.fastest import LatencyRouter
from tests.fakes import FakeClock, endpoint, routing_request, snapshot


@pytest.fixture
def router() -> LatencyRouter:
    return LatencyRouter(FakeClock())


def finish(router: LatencyRouter, decision: Decision, latency_s: float, **changes: Any) -> None:
    values: dict[str, Any] = {
        "decision_id": decision.decision_id,
        "request_id": decision.request_id,
        "model_id": decision.model_id,
        "policy": decision.policy,
        "status": 200,
        "latency_s": latency_s,
    }
    router.finished(Outcome(**{**values, **changes}))


def test_a_named_model_is_the_decision(router: LatencyRouter) -> None:
    decision = router.decide(routing_request("b"), snapshot(endpoint("a"), endpoint("b"), version=7))
    assert (decision.model_id, decision.reason, decision.snapshot_version) == ("b", "explicit", 7)
    assert [view.model_id for view in decision.candidates] == ["b"]


def test_errors_come_through(router: LatencyRouter) -> None:
    with pytest.raises(ModelNotFound):
        router.decide(routing_request("c"), snapshot(endpoint("a")))


def test_the_faster_model_is_chosen_once_both_are_known(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("slow"), endpoint("fast"))
    for model_id, latency_s in (("slow", 3.0), ("fast", 1.0)):
        finish(router, router.decide(routing_request(model_id), fleet), latency_s)
    decision = router.decide(routing_request(), fleet)
    assert (decision.model_id, decision.reason) == ("fast", "expected_latency")


def test_equal_models_take_turns(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("a"), endpoint("b"), endpoint("c"))
    chosen = [router.decide(routing_request(), fleet).model_id for _ in range(6)]
    assert chosen == ["a", "b", "c", "a", "b", "c"]


def test_a_full_queue_sends_the_next_request_elsewhere(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("fast", parallel=1), endpoint("slow", parallel=1))
    for model_id, latency_s in (("slow", 1.5), ("fast", 1.0)):
        finish(router, router.decide(routing_request(model_id), fleet), latency_s)
    first = router.decide(routing_request(), fleet)
    router.started(first)
    second = router.decide(routing_request(), fleet)
    assert (first.model_id, second.model_id) == ("fast", "slow")


def test_all_candidates_are_told_with_their_reasons(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("a"), endpoint("cold", state=ModelState.UNLOADED))
    decision = router.decide(routing_request(), fleet)
    assert [(view.model_id, view.filtered) for view in decision.candidates] == [("a", None), ("cold", "not_loaded")]
    assert decision.reason == "only_candidate"
    assert decision.candidates[0].expected_latency_s is not None
    assert decision.candidates[1].expected_latency_s is None


def test_a_second_choice_says_that_it_is_one(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("a"), endpoint("b"))
    decision = router.decide(routing_request(excluded_models=frozenset({"a"})), fleet)
    assert (decision.model_id, decision.reason) == ("b", "fallback")


def test_a_decision_leaves_the_queue_once(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("a"))
    first, second = (router.decide(routing_request(), fleet) for _ in range(2))
    router.started(first)
    router.started(second)
    finish(router, first, 1.0)
    finish(router, first, 1.0)
    assert router.decide(routing_request(), fleet).candidates[0].n_in_flight == 1


def test_decisions_have_ids_of_their_own(router: LatencyRouter) -> None:
    fleet = snapshot(endpoint("a"))
    assert len({router.decide(routing_request(), fleet).decision_id for _ in range(100)}) == 100
