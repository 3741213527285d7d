from typing import Any

import pytest

from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.routing import RouteOptions, UtilityWeights
from neuroforge.gateway.policy import POLICIES, is_policy
from tests.unit.gateway.fakes import Gateway, Reply, make_key

CHAT = {"messages": [{"role": "user", "content": "x"}]}


async def sent(path: str = "/v1/chat/completions", **body: Any) -> tuple[Gateway, Reply]:
    gateway = Gateway()
    async with gateway.running() as client:
        return gateway, await client.post(path, {**CHAT, **body})


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_policy_may_stand_in_model(policy: str) -> None:
    gateway, reply = await sent(model=policy)
    routing = gateway.orchestrator.routings[0]
    assert (reply.status, routing.policy, routing.model_id, routing.route) == (200, policy, None, RouteOptions())


async def test_the_router_may_read_the_text_and_knows_who_asks() -> None:
    gateway = Gateway()
    key, secret = make_key("k7")
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        await client.post("/v1/chat/completions", {**CHAT, "model": "auto"})
    routing = gateway.orchestrator.routings[0]
    assert (routing.body["messages"], routing.actor) == (CHAT["messages"], "k7")


async def test_an_unknown_policy_is_a_404_that_names_the_known_ones() -> None:
    _, reply = await sent(model="auto:clever")
    assert (reply.status, reply.error["code"], reply.error["known"]) == (404, "model_not_found", list(POLICIES))


@pytest.mark.parametrize(("model", "expected"), [("auto", True), ("auto:x", True), ("automatic", False), ("a", False)])
def test_a_model_id_is_no_policy(model: str, expected: bool) -> None:
    assert is_policy(model) is expected


async def test_bounds_and_weights_reach_the_router() -> None:
    route = {
        "max_latency_s": 2,
        "max_cost_usd": 0.01,
        "min_quality": 0.5,
        "candidates": ["small"],
        "weights": {"quality": 2.0, "cost_per_usd": None},
        "explore": False,
        "session": "s1",
    }
    gateway, _ = await sent(model="auto:cheap", neuroforge={"route": route})
    assert gateway.orchestrator.routings[0].route == RouteOptions(
        max_latency_s=2.0,
        max_cost_usd=0.01,
        min_quality=0.5,
        candidates=("small",),
        weights=UtilityWeights(quality=2.0),
        explore=False,
        session="s1",
    )


@pytest.mark.parametrize(
    ("route", "param"),
    [
        ({"max_latency_s": 0}, "neuroforge.route.max_latency_s"),
        ({"max_cost_usd": -1}, "neuroforge.route.max_cost_usd"),
        ({"min_quality": 1.5}, "neuroforge.route.min_quality"),
        ({"candidates": []}, "neuroforge.route.candidates"),
        ({"weights": {"latency_per_s": -1}}, "neuroforge.route.weights.latency_per_s"),
        ({"weights": {"speed": 1}}, "neuroforge.route.weights.speed"),
        ({"maximum": 1}, "neuroforge.route.maximum"),
        ({"explore": "no"}, "neuroforge.route.explore"),
    ],
)
async def test_a_wrong_bound_is_a_400_that_names_it(route: dict[str, Any], param: str) -> None:
    _, reply = await sent(model="auto", neuroforge={"route": route})
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_bounds_for_a_named_model_are_refused() -> None:
    _, reply = await sent(model="small", neuroforge={"route": {"max_latency_s": 1}})
    assert (reply.status, reply.error["param"]) == (400, "neuroforge.route.max_latency_s")


async def test_a_session_of_a_named_model_is_fine() -> None:
    gateway, reply = await sent(model="small", neuroforge={"route": {"session": "s", "max_latency_s": None}})
    assert (reply.status, gateway.orchestrator.routings[0].route.session) == (200, "s")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "auto:best"}, "model"),
        ({"model": "auto", "neuroforge": {"route": {"min_quality": 0.5}}}, "neuroforge.route.min_quality"),
        ({"model": "auto", "neuroforge": {"route": {"weights": {}}}}, "neuroforge.route.weights"),
    ],
)
async def test_embeddings_are_not_chosen_by_quality(body: dict[str, Any], param: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/v1/embeddings", {"input": "x", **body})
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_route_decides_and_executes_nothing() -> None:
    gateway, reply = await sent("/v1/route", model="auto:fast", neuroforge={"route": {"candidates": ["small"]}})
    assert (reply.json()["model_id"], reply.json()["decision_id"]) == ("small", "dec_1")
    assert reply.headers["x-neuroforge-decision"] == "dec_1;reason=explicit"
    assert (gateway.tasks.routings[0].policy, gateway.orchestrator.requests) == ("auto:fast", [])


async def test_route_takes_a_policy_for_a_key_with_a_list_of_models() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a", allowed_models=frozenset({"big"})))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        named = await client.post("/v1/route", {**CHAT, "model": "small"})
        policy = await client.post("/v1/route", {**CHAT, "model": "auto:best"})
    assert (named.status, policy.status) == (403, 200)
    assert gateway.tasks.routings[0].allowed_models == {"big"}


async def test_label_scores_need_a_model_and_no_policy() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/v1/label_logprobs", {"model": "auto:best", "prompt": "a", "labels": ["b"]})
    assert (reply.status, reply.error["param"]) == (400, "model")
