from typing import Any

import pytest

from neuroforge.contracts.keys import KeySpec
from neuroforge.errors import SandboxUnavailable
from tests.unit.gateway.fakes import Gateway, make_key
from tests.unit.gateway.fakes_experiments import CONFIG, FILES

EXPERIMENTS = "/admin/v1/experiments"
BODY = CONFIG.model_dump(mode="json", exclude_unset=True)
DIGEST = "0" * 64


def calls_of(gateway: Gateway) -> list[Any]:
    assert gateway.experiments is not None
    return gateway.experiments.calls


def audited(gateway: Gateway) -> list[tuple[str, str | None]]:
    return [(one.action, one.target) for one in gateway.state.events]


async def test_an_experiment_is_started_and_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(EXPERIMENTS, BODY)
    assert (reply.status, reply.json()["id"], reply.json()["state"]) == (202, "exp-3", "queued")
    assert calls_of(gateway) == [("start", CONFIG)]
    assert audited(gateway) == [("experiment.start", "exp-3")]


async def test_the_key_of_a_start_is_its_callers() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{EXPERIMENTS}?start_key=0a1b2c3d", BODY)
        refused = await client.post(f"{EXPERIMENTS}?start_key=../x", BODY)
    assert (reply.status, refused.status) == (202, 400)
    assert "start_key" in str(refused.json())
    assert calls_of(gateway) == [("start", CONFIG, "0a1b2c3d")]


async def test_an_estimate_starts_nothing_and_is_not_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{EXPERIMENTS}/estimate", BODY)
    assert (reply.status, reply.json()["n_calls"]) == (200, 36)
    assert (calls_of(gateway), audited(gateway)) == ([("estimate", CONFIG)], [])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({**BODY, "modles": ["small"]}, "modles"),
        ({**BODY, "models": []}, "models"),
        ({**BODY, "repeats": 0}, "repeats"),
        ({**BODY, "budget": {"max_calls": 0}}, "budget.max_calls"),
    ],
)
async def test_a_wrong_configuration_is_a_400_that_names_the_field(body: Any, param: str) -> None:
    async with Gateway().running() as client:
        reply = await client.post(EXPERIMENTS, body)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_an_unknown_model_is_told_before_anything_starts() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(EXPERIMENTS, {**BODY, "models": ["smal"]})
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert calls_of(gateway) == []


async def test_code_that_cannot_be_run_safely_is_a_501_with_the_remedy() -> None:
    gateway = Gateway()
    assert gateway.experiments is not None
    gateway.experiments.refusal = SandboxUnavailable("no namespaces here. Allow them, or allow_unsandboxed")
    async with gateway.running() as client:
        reply = await client.post(EXPERIMENTS, BODY)
    assert (reply.status, reply.error["code"]) == (501, "sandbox_unavailable")
    assert "allow_unsandboxed" in reply.error["message"]


async def test_experiments_are_listed_and_found() -> None:
    async with Gateway().running() as client:
        listed = (await client.get(f"{EXPERIMENTS}?limit=1")).json()["data"]
        found = (await client.get(f"{EXPERIMENTS}/exp-1")).json()
        missing = await client.get(f"{EXPERIMENTS}/exp-9")
    assert ([one["id"] for one in listed], found["state"]) == (["exp-2"], "done")
    assert (missing.status, missing.error["code"]) == (404, "not_found")


@pytest.mark.parametrize("action", ["cancel", "resume", "rescore", "rerun"])
async def test_what_is_done_to_an_experiment_is_audited(action: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{EXPERIMENTS}/exp-2/{action}")
    assert reply.status == 202
    assert calls_of(gateway)[0][:2] == (action, "exp-2")
    assert audited(gateway) == [(f"experiment.{action}", "exp-2")]


async def test_what_its_state_forbids_is_a_conflict() -> None:
    async with Gateway().running() as client:
        cancelled = await client.post(f"{EXPERIMENTS}/exp-1/cancel")
        early = await client.get(f"{EXPERIMENTS}/exp-2/analysis")
    assert [one.status for one in (cancelled, early)] == [409, 409]


async def test_a_rerun_may_have_another_name() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        body, length = b'{"name": "again", "use_cache": true}', {"content-length": "36"}
        await client.post(f"{EXPERIMENTS}/exp-1/rerun", body, headers=length)
    request = calls_of(gateway)[0][2]
    assert (request.name, request.use_cache) == ("again", True)


async def test_the_analysis_is_the_contract_as_json() -> None:
    async with Gateway().running() as client:
        found = (await client.get(f"{EXPERIMENTS}/exp-1/analysis")).json()
    assert (found["experiment_id"], found["insights"][0]["model_id"]) == ("exp-1", "small")


async def test_a_report_comes_whole_and_may_run_nothing_as_the_gateway() -> None:
    async with Gateway().running() as client:
        page = await client.get(f"{EXPERIMENTS}/exp-1/report")
        text = await client.get(f"{EXPERIMENTS}/exp-1/report?format=md")
    assert (page.body, text.body) == (FILES["report.html"], FILES["report.md"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("sandbox ")
    assert int(page.headers["content-length"]) == len(FILES["report.html"])


async def test_what_holds_texts_is_audited_when_it_leaves() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.get(f"{EXPERIMENTS}/exp-1/outcomes")
    assert (reply.body, audited(gateway)) == (b"PAR1", [("experiment.export", "exp-1")])


async def test_items_are_taken_in_parts_and_a_bad_line_is_a_400() -> None:
    gateway = Gateway()
    part = {"sha256": DIGEST, "index": 0, "n_parts": 2, "lines": '{"id": "1"}'}
    async with gateway.running() as client:
        taken = await client.send("PUT", f"{EXPERIMENTS}/items", part)
        refused = await client.send("PUT", f"{EXPERIMENTS}/items", {**part, "lines": "no"})
        missing = await client.get(f"{EXPERIMENTS}/items/{DIGEST}")
        strange = await client.get(f"{EXPERIMENTS}/items/nothex")
    assert (taken.status, refused.status, missing.status, strange.status) == (200, 400, 404, 400)
    assert "line 1" in refused.error["message"]


async def test_labels_go_out_and_come_in() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        tasks = (await client.get(f"{EXPERIMENTS}/exp-1/labels")).json()["data"]
        labels = [{"cell_id": tasks[0]["cell_id"], "value": 1}]
        taken = await client.post(f"{EXPERIMENTS}/exp-1/labels", {"labels": labels})
        wrong = await client.post(f"{EXPERIMENTS}/exp-1/labels", {"labels": [{"cell_id": "c1", "value": 2}]})
    assert (taken.json()["n_cells"], wrong.status) == (1, 400)
    assert audited(gateway)[0] == ("experiment.export_labels", "exp-1")


async def test_two_experiments_are_compared() -> None:
    async with Gateway().running() as client:
        found = await client.post(f"{EXPERIMENTS}/compare", {"a": "exp-1", "b": "exp-2"})
    assert (found.status, found.json()["n_common_items"]) == (200, 20)


async def test_only_administrators_reach_experiments() -> None:
    gateway = Gateway()
    key, secret = make_key("k1", KeySpec(name="a"))
    gateway.state.keys.append(key)
    async with gateway.running() as client:
        client.secret = secret
        replies = [await client.get(EXPERIMENTS), await client.get(f"{EXPERIMENTS}/exp-1/cells")]
    assert [one.status for one in replies] == [403, 403]


async def test_without_a_desk_experiments_are_a_503() -> None:
    async with Gateway(experiments=None).running() as client:
        reply = await client.get(EXPERIMENTS)
    assert (reply.status, "without an experiments desk" in reply.error["message"]) == (503, True)
