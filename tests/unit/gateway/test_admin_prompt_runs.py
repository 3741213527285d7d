from typing import Any

import pytest

from neuroforge.contracts.keys import KeySpec
from tests.unit.gateway.fakes import Gateway, make_key
from tests.unit.gateway.fakes_prompt_runs import CONFIG, FILES, RESULT

RUNS = "/admin/v1/prompt-runs"
BODY = CONFIG.model_dump(mode="json", exclude_unset=True)


def audited(gateway: Gateway) -> list[tuple[str, str | None]]:
    return [(one.action, one.target) for one in gateway.state.events]


async def test_an_optimisation_is_started_and_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(RUNS, BODY)
    assert (reply.status, reply.json()["id"], reply.json()["state"]) == (202, "opt-3", "queued")
    assert gateway.prompt_runs is not None
    assert gateway.prompt_runs.calls[-1] == ("start", CONFIG)
    assert audited(gateway) == [("prompt.optimize", "opt-3")]


async def test_the_key_of_a_start_is_its_callers() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{RUNS}?start_key=0a1b2c3d", BODY)
    assert reply.status == 202
    assert gateway.prompt_runs is not None
    assert gateway.prompt_runs.calls[-1] == ("start", CONFIG, "0a1b2c3d")


async def test_a_plan_starts_nothing_and_is_not_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{RUNS}/plan", BODY)
    assert (reply.status, reply.json()["n_test_calls"]) == (200, 26)
    assert gateway.prompt_runs is not None
    assert (gateway.prompt_runs.calls, audited(gateway)) == ([("plan", CONFIG)], [])


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({**BODY, "promt": "x"}, "promt", "did you mean 'prompt'"),
        ({**BODY, "metric": "exakt"}, "metric", "'exact'"),
        ({**BODY, "budget": {"max_calls": 0}}, "budget.max_calls", "greater than or equal to 1"),
        ({**BODY, "program": {"instruction": "x"}}, None, "give one of prompt and program"),
    ],
)
async def test_a_wrong_configuration_is_a_400_that_names_the_field(body: Any, param: str | None, said: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(RUNS, body)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert said in reply.error["message"]
    assert gateway.prompt_runs is not None
    assert gateway.prompt_runs.calls == []


async def test_an_unknown_model_is_told_before_anything_starts() -> None:
    async with Gateway().running() as client:
        reply = await client.post(RUNS, {**BODY, "target_model": "smal"})
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert "big, small" in reply.error["message"]


async def test_runs_are_listed_and_found() -> None:
    async with Gateway().running() as client:
        listed = (await client.get(f"{RUNS}?limit=1")).json()["data"]
        found = (await client.get(f"{RUNS}/opt-1")).json()
        missing = await client.get(f"{RUNS}/opt-9")
    assert ([one["id"] for one in listed], found["state"]) == (["opt-2"], "done")
    assert (missing.status, missing.error["code"]) == (404, "not_found")


@pytest.mark.parametrize("action", ["cancel", "resume"])
async def test_what_is_done_to_a_run_is_audited(action: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{RUNS}/opt-2/{action}")
    assert reply.status == 202
    assert gateway.prompt_runs is not None
    assert gateway.prompt_runs.calls == [(action, "opt-2")]
    assert audited(gateway) == [(f"prompt.{action}", "opt-2")]


async def test_what_its_state_forbids_is_a_conflict() -> None:
    async with Gateway().running() as client:
        replies = [await client.post(f"{RUNS}/opt-1/cancel"), await client.get(f"{RUNS}/opt-2/result")]
    assert [one.status for one in replies] == [409, 409]


async def test_the_result_is_the_contract_as_json() -> None:
    async with Gateway().running() as client:
        found = (await client.get(f"{RUNS}/opt-1/result")).json()
    assert found == RESULT.model_dump(mode="json")


async def test_a_report_may_run_nothing_as_the_gateway() -> None:
    async with Gateway().running() as client:
        page = await client.get(f"{RUNS}/opt-1/report")
    assert (page.body, page.headers["content-type"]) == (FILES["report.html"], "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("sandbox ")


@pytest.mark.parametrize("name", ["candidates", "evaluations"])
async def test_what_holds_texts_is_audited_when_it_leaves(name: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.get(f"{RUNS}/opt-1/{name}")
    assert (reply.body, audited(gateway)) == (b"PAR1", [("prompt.export", "opt-1")])


async def test_only_administrators_reach_runs() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a"))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        replies = [await client.get(RUNS), await client.get(f"{RUNS}/opt-1/candidates")]
    assert [one.status for one in replies] == [403, 403]


async def test_without_a_desk_runs_are_a_503() -> None:
    async with Gateway(prompt_runs=None).running() as client:
        reply = await client.get(RUNS)
    assert (reply.status, "without a desk for prompt runs" in reply.error["message"]) == (503, True)
