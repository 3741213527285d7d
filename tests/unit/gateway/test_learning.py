from typing import Any

import pytest

from neuroforge.contracts.keys import ApiKey, KeySpec
from tests.unit.gateway.fakes import Client, FakeState, Gateway, make_key
from tests.unit.gateway.fakes_learning import record

GOOD = {"decision_id": "mine", "score": True}
ON_ITS_WAY = "0123456789abcdef"


def keyed(*scopes: str) -> tuple[ApiKey, str]:
    return make_key("k1", KeySpec.model_validate({"name": "k1", "scopes": scopes}))


async def with_key(gateway: Gateway, *scopes: str) -> str:
    key, secret = keyed(*scopes)
    gateway.state = FakeState(keys=[key])
    return secret


async def test_feedback_is_handed_on_with_who_gave_it() -> None:
    gateway = Gateway()
    secret = await with_key(gateway, "inference")
    async with gateway.running() as client:
        reply = await Client(client.app, secret=secret).post("/v1/feedback", GOOD)
    assert reply.json() == {"decision_id": "mine", "status": "accepted", "score": 1.0}
    feedback, actor = gateway.learner.given[0]
    assert (feedback.score, actor) == (True, "k1")


async def test_another_callers_decision_does_not_exist_for_a_key() -> None:
    gateway = Gateway()
    secret = await with_key(gateway, "inference")
    async with gateway.running() as client:
        mine = Client(client.app, secret=secret)
        replies = [
            await mine.get("/v1/decisions/other"),
            await mine.post("/v1/feedback", {**GOOD, "decision_id": "other"}),
        ]
    assert [(one.status, one.error["code"]) for one in replies] == [(404, "not_found")] * 2


async def test_an_operator_reaches_every_decision() -> None:
    gateway = Gateway()
    secret = await with_key(gateway, "admin")
    async with gateway.running() as client:
        reply = await Client(client.app, secret=secret).get("/v1/decisions/other")
    assert (reply.status, reply.json()["decision"]["model_id"]) == (200, "small")


async def test_a_decision_is_shown_without_what_only_the_router_reads() -> None:
    async with Gateway().running() as client:
        found = (await client.get("/v1/decisions/mine")).json()
    assert found["decision"]["reason"] == "utility"
    assert found["outcome"]["status"] == 200
    assert not {"embedding", "basis"} & set(found)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"decision_id": "mine"}, None),
        ({"decision_id": "mine", "score": 2}, None),
        ({"decision_id": "mine", "score": 1, "preferred_answer": "x"}, None),
        ({"decision_id": "mine", "score": "good"}, "score"),
        ({"score": 1}, "decision_id"),
        ({**GOOD, "stars": 5}, "stars"),
    ],
)
async def test_feedback_that_says_nothing_clear_is_refused(body: dict[str, Any], param: str | None) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/v1/feedback", body)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert gateway.learner.given == []


async def test_a_decision_that_is_on_its_way_is_waited_for() -> None:
    gateway = Gateway()
    gateway.learner.records[ON_ITS_WAY] = record(ON_ITS_WAY, "local")
    gateway.learner.known_after = 3
    async with gateway.running() as client:
        reply = await client.get(f"/v1/decisions/{ON_ITS_WAY}")
    assert (reply.status, gateway.learner.n_asked) == (200, 4)


async def test_the_wait_for_a_decision_ends() -> None:
    gateway = Gateway()
    async with gateway.running(decision_wait_s=0) as client:
        reply = await client.get(f"/v1/decisions/{ON_ITS_WAY}")
    assert (reply.status, gateway.learner.n_asked) == (404, 1)


async def test_no_time_is_spent_on_what_is_no_decisions_id() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        assert (await client.get("/v1/decisions/nonsense")).status == 404
    assert gateway.learner.n_asked == 1


async def test_feedback_counts_against_the_keys_limit() -> None:
    gateway = Gateway()
    secret = await with_key(gateway, "inference")
    async with gateway.running(requests_per_minute=1) as client:
        mine = Client(client.app, secret=secret)
        replies = [await mine.post("/v1/feedback", GOOD) for _ in range(2)]
    assert [one.status for one in replies] == [200, 429]


async def test_without_a_learner_the_routes_say_so() -> None:
    gateway = Gateway()
    gateway.learner = gateway.data = None  # type: ignore[assignment]
    async with gateway.running() as client:
        paths = ("/v1/decisions/mine", "/admin/v1/router", "/admin/v1/data")
        statuses = [(await client.get(path)).status for path in paths]
    assert statuses == [503] * 3


async def test_the_routers_status_is_for_operators() -> None:
    gateway = Gateway()
    secret = await with_key(gateway, "inference")
    async with gateway.running() as client:
        reply = await Client(client.app, secret=secret).get("/admin/v1/router")
    assert reply.status == 403
    async with Gateway().running() as client:
        assert (await client.get("/admin/v1/router")).json()["n_outcomes"] == 2


async def test_a_fit_is_applied_and_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post("/admin/v1/router/fit", {"files": {"router.json": "e30="}})
        await client.get("/admin/v1/audit")
    assert (reply.status, reply.json()["fit_id"]) == (200, "f" * 64)
    assert gateway.learner.uploads[0].files == {"router.json": "e30="}
    assert [(one.action, one.target) for one in gateway.state.events] == [("router.apply_fit", "f" * 64)]


async def test_a_fit_that_cannot_be_used_is_a_400() -> None:
    async with Gateway().running() as client:
        reply = await client.post("/admin/v1/router/fit", {"path": "/bad"})
    assert (reply.status, reply.error["message"]) == (400, "/bad: made with another embedder")


async def test_what_is_kept_is_shown_exported_and_purged() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        assert (await client.get("/admin/v1/data")).json()["places"] == ["/home/outcomes.db"]
        exported = await client.post(
            "/admin/v1/data/export", {"path": "/x/out.parquet", "after_seq": 5, "for_fit": True}
        )
        purged = await client.delete("/admin/v1/data?actor=k1&before_s=12.5")
        await client.get("/admin/v1/audit")
    assert exported.json() == {"path": "/x/out.parquet", "n_rows": 2}
    assert purged.json() == {"n_outcomes": 2, "n_experiments": 0, "n_cached_replies": 0, "n_prompt_runs": 0}
    assert gateway.data.calls == [("export", "/x/out.parquet", 5, True), ("purge", "k1", 12.5)]
    events = [(one.action, one.target) for one in gateway.state.events]
    assert events == [("data.export", "/x/out.parquet"), ("data.purge", "k1")]


@pytest.mark.parametrize("query", ["before_s=-1", "before_s=nan", "before_s=soon", "actor="])
async def test_a_purge_that_is_not_clear_deletes_nothing(query: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.delete(f"/admin/v1/data?{query}")
    assert (reply.status, gateway.data.calls) == (400, [])


async def test_wrong_methods_name_the_right_ones() -> None:
    async with Gateway().running() as client:
        reply = await client.post("/admin/v1/data")
    assert (reply.status, reply.headers["allow"]) == (405, "DELETE, GET")
