from typing import Any

import pytest

from neuroforge.contracts.keys import KeySpec
from tests.unit.gateway.fakes import Gateway, make_key

RULES = "/admin/v1/router/rules"
INSIGHT = {
    "model_id": "small",
    "other_model_id": "big",
    "task": "code",
    "difference": {"mean": 0.1, "low": 0.05, "high": 0.15, "n": 200},
    "source": "exp-1",
}


def calls_of(gateway: Gateway) -> list[Any]:
    assert gateway.rules is not None
    return gateway.rules.calls


async def test_rules_are_listed_with_their_evidence() -> None:
    async with Gateway().running() as client:
        found = (await client.get(RULES)).json()["data"]
    assert [(one["proposal_id"], one["state"]) for one in found] == [("known", "proposed"), ("defaults", "applied")]
    assert found[0]["replay"]["effective_sample_size"] == 250


async def test_a_proposal_is_stored_and_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(RULES, {"reason": "why", "pins": [{"model_id": "small", "task": "code"}]})
    assert (reply.status, reply.json()["proposal_id"]) == (201, "known")
    (_, rules), *_ = calls_of(gateway)
    assert rules.pins[0].model_id == "small"
    assert rules.model_fields_set == {"reason", "pins"}
    assert [(one.action, one.target) for one in gateway.state.events] == [("rules.propose", "known")]


@pytest.mark.parametrize(
    ("body", "param", "told"),
    [
        ({"pins": [{"model_id": "smal"}]}, "pins[0].model_id", "'smal' does not exist; known: big, small"),
        (
            {"exclusions": [{"model_id": one} for one in ("small", "big")]},
            "exclusions",
            "no model would be left for every",
        ),
        ({"pins": [{"model_id": "small", "task": "cooking"}]}, "pins[0].task", "code"),
        ({"holdout_share": 0.9}, "holdout_share", "0.5"),
        ({"pins": [{"model_id": "small"}, {"model_id": "small"}]}, None, "two pins for every task"),
        ({"version": 3}, "version", "leave it out"),
        ({"pinned": []}, "pinned", "pinned"),
    ],
)
async def test_rules_that_cannot_be_are_a_400_that_names_the_rule(body: Any, param: str | None, told: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(RULES, body)
    assert (reply.status, reply.error["param"], calls_of(gateway)) == (400, param, [])
    assert told in reply.error["message"]


@pytest.mark.parametrize(
    ("path", "told", "audited"),
    [
        ("known/shadow", ("shadow", "known"), ("rules.shadow", "known")),
        ("known/apply", ("apply", "known", False), ("rules.apply", "known")),
        ("refused/apply?force=true", ("apply", "refused", True), ("rules.force", "refused")),
        ("rollback", ("rollback", "known", None), ("rules.rollback", "known")),
        ("rollback?version=0", ("rollback", "known", 0), ("rules.rollback", "known")),
    ],
)
async def test_each_change_is_handed_on_and_audited(path: str, told: Any, audited: Any) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{RULES}/{path}")
    assert (reply.status, calls_of(gateway)) == (200, [told])
    assert [(one.action, one.target) for one in gateway.state.events] == [audited]


async def test_a_refused_proposal_is_a_409_with_the_number() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{RULES}/refused/apply")
    assert (reply.status, reply.error["code"]) == (409, "conflict")
    assert "effective sample size 12.0" in reply.error["message"]
    assert [(one.action, one.status) for one in gateway.state.events] == [("rules.apply", 409)]


@pytest.mark.parametrize(
    ("path", "status", "param"),
    [("unknown/apply", 404, None), ("rollback?version=-1", 400, "version"), ("known/apply?force=maybe", 400, "force")],
)
async def test_what_does_not_exist_or_is_no_value_is_told(path: str, status: int, param: str | None) -> None:
    async with Gateway().running() as client:
        reply = await client.post(f"{RULES}/{path}")
    assert (reply.status, reply.error["param"]) == (status, param)


async def test_insights_go_through_the_orchestrator() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{RULES}/insights", {"insights": [INSIGHT], "shadow": True})
    assert (reply.status, reply.json()["state"]) == (200, "applied")
    (insights, shadow), *_ = gateway.tasks.updates
    assert (insights[0].source, shadow) == ("exp-1", True)
    assert [(one.action, one.target) for one in gateway.state.events] == [("rules.update", "known")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"insights": []}, "insights"),
        ({"insights": [{**INSIGHT, "other_model_id": "small"}]}, "insights[0]"),
        ({"insights": [{**INSIGHT, "difference": {"mean": 1, "low": 2, "high": 3, "n": 1}}]}, "insights[0].difference"),
    ],
)
async def test_insights_that_say_nothing_are_a_400(body: Any, param: str) -> None:
    async with Gateway().running() as client:
        reply = await client.post(f"{RULES}/insights", body)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_only_administrators_reach_the_rules() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a"))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        replies = [await client.get(RULES), await client.post(f"{RULES}/known/apply")]
    assert [one.status for one in replies] == [403, 403]


async def test_without_a_learner_the_rules_are_a_503() -> None:
    async with Gateway(rules=None).running() as client:
        reply = await client.get(RULES)
    assert (reply.status, "without a learner" in reply.error["message"]) == (503, True)
