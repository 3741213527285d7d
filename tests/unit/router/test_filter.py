import pytest

from neuroforge.contracts.models import ModelState
from neuroforge.contracts.routing import FilterReason, FleetSnapshot, RoutingRequest
from neuroforge.errors import (
    ContextLengthExceeded,
    EngineUnavailable,
    ModelNotFound,
    PermissionDenied,
    UnsupportedParameter,
)
from neuroforge.router.filter import filter_models, find_explicit
from tests.fakes import endpoint, routing_request, snapshot


def reasons(request: RoutingRequest, fleet: FleetSnapshot) -> dict[str, FilterReason | None]:
    return {verdict.endpoint.model_id: verdict.filtered for verdict in filter_models(request, fleet)}


def test_an_unknown_model_names_the_ids_that_the_key_may_use() -> None:
    fleet = snapshot(endpoint("b"), endpoint("a"), endpoint("secret"))
    with pytest.raises(ModelNotFound) as caught:
        find_explicit(routing_request("c", allowed_models=frozenset({"a", "b"})), fleet)
    assert caught.value.context["known"] == ["a", "b"]


def test_before_the_first_snapshot_no_model_is_said_to_be_unknown() -> None:
    with pytest.raises(EngineUnavailable, match="not known yet"):
        find_explicit(routing_request("a"), FleetSnapshot(version=0))


def test_a_key_that_may_not_use_the_model_is_told_so() -> None:
    with pytest.raises(PermissionDenied):
        find_explicit(routing_request("a", allowed_models=frozenset({"b"})), snapshot(endpoint("a")))


def test_a_missing_capability_names_the_field() -> None:
    request = routing_request("a", requirements=frozenset({"chat", "json_schema"}))
    with pytest.raises(UnsupportedParameter) as caught:
        find_explicit(request, snapshot(endpoint("a")))
    assert caught.value.context["param"] == "response_format"
    assert caught.value.context["capability"] == "json_schema"


def test_an_estimate_that_may_be_wrong_refuses_nothing() -> None:
    request = routing_request("a", n_prompt_tokens_estimate=5000, max_tokens=5000)
    assert find_explicit(request, snapshot(endpoint("a", context_length=4096))).model_id == "a"


def test_a_prompt_far_beyond_the_context_is_refused_with_both_numbers() -> None:
    request = routing_request("a", n_prompt_tokens_estimate=8001)
    with pytest.raises(ContextLengthExceeded) as caught:
        find_explicit(request, snapshot(endpoint("a", context_length=1000)))
    assert (caught.value.context["n_prompt_tokens"], caught.value.context["context_length"]) == (8001, 1000)


def test_an_unloaded_model_that_was_named_is_found() -> None:
    fleet = snapshot(endpoint("a", state=ModelState.UNLOADED))
    assert find_explicit(routing_request("a"), fleet).state == ModelState.UNLOADED


def test_each_model_has_its_own_reason() -> None:
    fleet = snapshot(
        endpoint("good"),
        endpoint("forbidden"),
        endpoint("dumb", capabilities=frozenset({"completion"})),
        endpoint("short", context_length=128),
        endpoint("broken", state=ModelState.FAILED),
        endpoint("tried"),
        endpoint("cold", state=ModelState.UNLOADED),
        endpoint("off", state=ModelState.UNLOADED, load_on_demand=False),
    )
    allowed = frozenset(model.model_id for model in fleet.models) - {"forbidden"}
    request = routing_request(
        requirements=frozenset({"chat"}),
        n_prompt_tokens_estimate=100,
        max_tokens=100,
        allowed_models=allowed,
        excluded_models=frozenset({"tried"}),
    )
    assert reasons(request, fleet) == {
        "good": None,
        "forbidden": "not_allowed",
        "dumb": "capability",
        "short": "context_length",
        "broken": "unhealthy",
        "tried": "unhealthy",
        "cold": "not_loaded",
        "off": "not_loaded",
    }


def test_a_model_that_is_loading_comes_before_one_that_is_not() -> None:
    fleet = snapshot(endpoint("cold", state=ModelState.UNLOADED), endpoint("warm", state=ModelState.LOADING))
    assert reasons(routing_request(), fleet) == {"cold": "not_loaded", "warm": None}


def test_an_unloaded_model_is_used_when_no_ready_one_fits() -> None:
    fleet = snapshot(endpoint("ready", context_length=128), endpoint("cold", state=ModelState.UNLOADED))
    request = routing_request(n_prompt_tokens_estimate=1000)
    assert reasons(request, fleet) == {"ready": "context_length", "cold": None}


def test_a_prompt_that_may_be_too_long_for_all_is_sent_all_the_same() -> None:
    fleet = snapshot(endpoint("a", context_length=1000))
    assert reasons(routing_request(n_prompt_tokens_estimate=1500), fleet) == {"a": None}


def test_none_allowed_is_a_matter_of_permission() -> None:
    with pytest.raises(PermissionDenied):
        filter_models(routing_request(allowed_models=frozenset()), snapshot(endpoint("a")))


def test_none_capable_names_what_is_offered_nowhere() -> None:
    fleet = snapshot(endpoint("a"), endpoint("b"))
    with pytest.raises(UnsupportedParameter) as caught:
        filter_models(routing_request(requirements=frozenset({"chat", "tools"})), fleet)
    assert caught.value.context["param"] == "tools"


def test_none_long_enough_tells_the_largest_context() -> None:
    fleet = snapshot(endpoint("a", context_length=128), endpoint("b", context_length=256))
    with pytest.raises(ContextLengthExceeded) as caught:
        filter_models(routing_request(n_prompt_tokens_estimate=10_000), fleet)
    assert caught.value.context["context_length"] == 256


def test_none_healthy_tells_each_state() -> None:
    fleet = snapshot(endpoint("a", state=ModelState.FAILED), endpoint("b"))
    with pytest.raises(EngineUnavailable, match="a is failed, b is not answering"):
        filter_models(routing_request(excluded_models=frozenset({"b"})), fleet)


def test_an_empty_fleet_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable):
        filter_models(routing_request(), snapshot())


def test_a_policy_leaves_out_a_model_whose_circuit_is_open() -> None:
    fleet = snapshot(endpoint("a"), endpoint("b"))
    assert reasons(routing_request(open_circuits=frozenset({"a"})), fleet) == {"a": "circuit_open", "b": None}


def test_with_all_circuits_open_the_message_says_who_does_not_answer() -> None:
    with pytest.raises(EngineUnavailable, match="a is not answering"):
        filter_models(routing_request(open_circuits=frozenset({"a"})), snapshot(endpoint("a")))
