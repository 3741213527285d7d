from typing import Any

import pytest

from tests.unit.gateway.fakes import Gateway

PATH = "/admin/v1/live-tests"
BODY = {
    "name": "t",
    "target": "auto",
    "arms": [{"name": "control", "model_id": "small"}, {"name": "other", "model_id": "big"}],
}


async def test_a_test_is_made_and_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(PATH, BODY)
    assert (reply.status, reply.json()["spec"]["name"], reply.json()["state"]) == (201, "t", "running")
    ((_, spec),) = gateway.live_tests.calls
    assert [arm.model_id for arm in spec.arms] == ["small", "big"]
    assert [(one.action, one.target) for one in gateway.state.events] == [("live_tests.create", "t")]


@pytest.mark.parametrize(
    ("changes", "param", "told"),
    [
        ({"target": "smal"}, "target", "'smal' is neither a model nor a policy"),
        ({"arms": [{"name": "a", "model_id": "small"}, {"name": "b", "model_id": "bug"}]}, "arms[1].model_id", "bug"),
        ({"arms": [{"name": "a", "model_id": "small"}] * 2}, None, "two arms are called 'a'"),
        ({"arms": [{"name": name, "model_id": "small"} for name in "ab"]}, None, "two arms are the same"),
        ({"mode": "shadow"}, None, "nobody scores"),
        (
            {"mode": "shadow", "metric": "speed", "target": "big"},
            "arms[0].model_id",
            "the first arm is what answers, which is 'big'",
        ),
        ({"share": 0}, "share", "greater than 0"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_runs(
    changes: dict[str, Any], param: str | None, told: str
) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(PATH, BODY | changes)
    assert reply.status == 400
    assert told in reply.error["message"]
    assert param is None or reply.error["param"] == param
    assert gateway.live_tests.calls == []


async def test_tests_are_listed_shown_and_stopped() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        listed = (await client.get(PATH)).json()["data"]
        shown = (await client.get(f"{PATH}/known")).json()
        stopped = (await client.post(f"{PATH}/known/stop", {})).json()
    assert [one["spec"]["name"] for one in listed] == ["known"]
    assert shown["differences"]["other"]["mean"] == 0.125
    assert stopped["state"] == "stopped"
    assert [(one.action, one.target) for one in gateway.state.events] == [("live_tests.stop", "known")]


async def test_an_unknown_test_is_a_404_that_names_the_known() -> None:
    async with Gateway().running() as client:
        reply = await client.get(f"{PATH}/nope")
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    assert "known: known" in reply.error["message"]
