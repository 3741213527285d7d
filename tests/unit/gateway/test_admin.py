from typing import Any

import pytest

from neuroforge.contracts.keys import KeySpec
from tests.unit.gateway.fakes import Gateway, make_key

SPEC = {"id": "small", "asset": "smollm2-135m-instruct"}


async def test_status_tells_of_the_gateway_and_the_fleet() -> None:
    gateway = Gateway()
    async with gateway.running(dashboard_url="http://127.0.0.1:8265") as client:
        gateway.clock.now_s += 5
        body = (await client.get("/admin/v1/status")).json()
    assert (body["uptime_s"], body["is_ready"], body["n_in_flight"], body["n_keys"]) == (5.0, True, 1, 0)
    assert body["models"][0]["id"] == "small"
    assert body["dashboard_url"] == "http://127.0.0.1:8265"


async def test_the_fleet_is_listed() -> None:
    async with Gateway().running() as client:
        assert [one["id"] for one in (await client.get("/admin/v1/models")).json()["data"]] == ["small"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("load", None, ("load", None)),
        ("unload", None, ("unload", "small")),
    ],
)
async def test_load_and_unload_are_started(path: str, body: Any, told: Any) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"/admin/v1/models/small/{path}", body)
    assert (reply.status, reply.json()["state"], gateway.fleet.calls) == (202, "loading", [told])
    assert (gateway.state.events[0].action, gateway.state.events[0].target) == (f"model.{path}", "small")


async def test_a_load_may_bring_its_spec() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/admin/v1/models/small/load", SPEC, headers={"content-length": "50"})
    assert reply.status == 202
    assert gateway.fleet.calls[0][1].asset == "smollm2-135m-instruct"


async def test_a_spec_of_another_id_is_a_400() -> None:
    async with Gateway().running() as client:
        reply = await client.post("/admin/v1/models/big/load", SPEC, headers={"content-length": "50"})
    assert (reply.status, reply.error["param"]) == (400, "id")


async def test_scaling_hands_on_the_range() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/admin/v1/models/small/scale", {"min": 1, "max": 2})
    assert (reply.status, gateway.fleet.calls[0][1].max) == (202, 2)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/admin/v1/models/small/scale", {"min": 1, "maxx": 2}, "maxx"),
        ("/admin/v1/models/small/scale", {"min": 3, "max": 2}, None),
        ("/admin/v1/apply", {"models": [{"id": "x y"}]}, "models[0].id"),
        ("/admin/v1/keys", {}, "name"),
        ("/admin/v1/keys", b"{", None),
    ],
)
async def test_a_wrong_body_is_a_400_that_names_the_field(path: str, body: Any, param: str | None) -> None:
    async with Gateway().running() as client:
        reply = await client.post(path, body)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_an_unknown_model_or_key_is_a_404() -> None:
    async with Gateway().running() as client:
        model = await client.post("/admin/v1/models/other/unload")
        key = await client.delete("/admin/v1/keys/other")
    assert (model.status, model.error["code"], model.error["known"]) == (404, "model_not_found", ["small"])
    assert (key.status, key.error["code"]) == (404, "not_found")


@pytest.mark.parametrize(("is_dry", "actions"), [(True, []), (False, ["fleet.apply"])])
async def test_apply_gives_the_difference_and_only_a_real_one_is_audited(is_dry: bool, actions: list[str]) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/admin/v1/apply", {"models": [SPEC], "dry_run": is_dry})
    assert reply.json()["changes"][0]["model_id"] == "small"
    assert [one.action for one in gateway.state.events] == actions


async def test_a_key_works_as_soon_as_it_is_made_and_stops_when_revoked() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        made = await client.post("/admin/v1/keys", {"name": "a", "scopes": ["admin"]})
        locked = await client.get("/v1/models")
        client.secret = made.json()["secret"]
        opened = await client.get("/v1/models")
        revoked = await client.delete(f"/admin/v1/keys/{made.json()['key']['id']}")
        closed = await client.get("/v1/models")
    assert [one.status for one in (made, locked, opened, revoked, closed)] == [201, 401, 200, 200, 401]
    assert [one.action for one in gateway.state.events] == ["key.create", "key.revoke"]


async def test_hashes_never_leave_with_a_list() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a", scopes=frozenset({"admin"})))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        listed = await client.get("/admin/v1/keys")
    assert listed.json()["data"][0]["id"] == "k1"
    assert b"sha256" not in listed.body
    assert key.secret_sha256.encode() not in listed.body


async def test_the_audit_log_holds_what_this_replica_just_saw() -> None:
    async with Gateway().running() as client:
        await client.post("/admin/v1/models/small/unload")
        tail = (await client.get("/admin/v1/audit?limit=5")).json()["data"]
        verdict = (await client.get("/admin/v1/audit/verify")).json()
    assert [one["event"]["action"] for one in tail] == ["model.unload"]
    assert verdict["is_intact"] is True


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after_seq=-1", f"after_seq={2**70}"])
async def test_a_wrong_query_is_a_400(query: str) -> None:
    async with Gateway().running() as client:
        reply = await client.get(f"/admin/v1/audit?{query}")
    assert (reply.status, reply.error["param"]) == (400, query.partition("=")[0])
