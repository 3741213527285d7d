import pytest

from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.models import ModelState
from neuroforge.contracts.prompt_serving import PromptSnapshot
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.gateway.policy import POLICIES
from tests.unit.gateway.fakes import Client, Gateway, endpoint, make_key
from tests.unit.gateway.fakes_prompts import holding, release


async def test_the_list_holds_auto_and_every_model() -> None:
    async with Gateway().running() as client:
        body = (await client.get("/v1/models")).json()
    assert (body["object"], [one["id"] for one in body["data"]]) == ("list", [*POLICIES, "small", "big"])


async def test_a_key_sees_its_own_models_only() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a", allowed_models=frozenset({"big"})))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        listed, hidden = await client.get("/v1/models"), await client.get("/v1/models/small")
    assert [one["id"] for one in listed.json()["data"]] == [*POLICIES, "big"]
    assert hidden.status == 403


async def test_a_model_says_what_it_can() -> None:
    async with Gateway().running() as client:
        body = (await client.get("/v1/models/small")).json()
    assert (body["id"], body["object"], body["created"], body["owned_by"]) == ("small", "model", 7, "neuroforge")
    assert body["neuroforge"] == {
        "state": "ready",
        "engine": "llamacpp",
        "context_length": 2048,
        "capabilities": ["chat", "completion"],
        "tags": [],
    }


@pytest.mark.parametrize("policy", ["auto", "auto:best", "auto:fast", "auto:cheap"])
async def test_a_policy_is_a_model_too(policy: str) -> None:
    async with Gateway().running() as client:
        assert (await client.get(f"/v1/models/{policy}")).json()["id"] == policy


async def test_prompts_that_need_only_a_message_are_models_too() -> None:
    plain = release(("user", "{{ query }}"), created_at_s=9.5)
    asking = release(("user", "{{ topic }}"), name="rhyme", variables=("topic",))
    aliases = [*holding(plain).aliases, *holding(plain, alias="staging").aliases, *holding(asking).aliases]
    gateway = Gateway()
    gateway.state.prompts = PromptSnapshot(revision=1, releases=(plain, asking), aliases=tuple(aliases))
    async with gateway.running() as client:
        listed = [one["id"] for one in (await client.get("/v1/models")).json()["data"]]
        shown = (await client.get("/v1/models/prompt:sense@staging")).json()
        hidden = await client.get("/v1/models/prompt:rhyme")
    assert listed == [*POLICIES, "small", "big", "prompt:sense", "prompt:sense@staging"]
    assert (shown["created"], shown["neuroforge"]) == (9, {"prompt": "sense", "version": 1})
    assert hidden.status == 404


async def test_an_unknown_model_is_a_404_that_lists_the_known_ones() -> None:
    async with Gateway().running() as client:
        reply = await client.get("/v1/models/other")
    assert (reply.status, reply.error["code"], reply.error["known"]) == (404, "model_not_found", ["big", "small"])
    assert "small" in reply.error["message"]


async def test_ready_means_that_preloaded_models_answer() -> None:
    gateway = Gateway()
    waiting = (endpoint("small", ModelState.LOADING), endpoint("big", ModelState.UNLOADED, preload=False))
    gateway.fleet_view.snapshot = FleetSnapshot(version=1, models=waiting)
    async with gateway.running() as client:
        not_yet = await client.get("/readyz")
        gateway.fleet_view.snapshot = FleetSnapshot(version=2, models=(endpoint("small"),))
        ready = await client.get("/readyz")
    assert (not_yet.status, not_yet.json()["missing"]) == (503, [{"id": "small", "state": "loading"}])
    assert (not_yet.error["code"], not_yet.headers["retry-after"]) == ("model_unavailable", "1")
    assert (ready.status, ready.json()["status"]) == (200, "ready")


async def test_nothing_is_ready_before_keys_and_fleet_are_known() -> None:
    gateway = Gateway()
    gateway.fleet_view.snapshot = FleetSnapshot(version=0)
    reply = await Client(gateway.build()).get("/readyz")
    assert [one["id"] for one in reply.json()["missing"]] == ["api-keys", "fleet"]


async def test_health_needs_nothing() -> None:
    assert (await Client(Gateway().build(), peer="10.0.0.9").get("/healthz")).status == 200


async def test_metrics_need_a_key_where_keys_exist() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        opened = await client.get("/metrics")
    gateway.state.keys.append(make_key("k1")[0])
    async with gateway.running() as client:
        locked = await client.get("/metrics")
    assert (opened.body, opened.headers["content-type"]) == (b"up 1\n", "text/plain; version=0.0.4; charset=utf-8")
    assert locked.status == 401


async def test_pages_of_allowed_origins_may_call_and_read_the_headers() -> None:
    async with Gateway().running(cors_origins=("http://ui.local",)) as client:
        asked = {"origin": "http://ui.local", "access-control-request-method": "POST"}
        preflight = await client.send("OPTIONS", "/v1/chat/completions", None, headers=asked)
        reply = await client.get("/v1/models", headers={"origin": "http://ui.local"})
        other = await client.get("/v1/models", headers={"origin": "http://evil.local"})
    assert preflight.headers["access-control-allow-origin"] == "http://ui.local"
    assert "x-request-id" in reply.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in other.headers
