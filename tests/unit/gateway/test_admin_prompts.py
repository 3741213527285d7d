from typing import Any

import pytest
import yaml

from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.keys import KeySpec
from neuroforge.contracts.prompt_serving import PromptPromotion
from neuroforge.contracts.prompts import PromptRelease
from neuroforge.errors import StorageError
from neuroforge.gateway.prompt_views import export_of
from tests.unit.gateway.fakes import Gateway, make_key
from tests.unit.gateway.fakes_prompts import entry, holding, release

PATH = "/admin/v1/prompts"
RELEASE = {"name": "sense", "messages": [{"role": "user", "content": "{{ query }}"}], "reason": "better"}


async def test_versions_are_listed_and_one_is_shown_by_alias_or_number() -> None:
    async with Gateway().running() as client:
        listed = (await client.get(PATH)).json()["data"]
        other = (await client.get(f"{PATH}?name=other")).json()["data"]
        shown = [(await client.get(f"{PATH}/sense{query}")).json() for query in ("", "?which=production", "?which=1")]
    assert ([one["release"]["version"] for one in listed], other) == ([2, 1], [])
    assert [one["release"]["version"] for one in shown] == [2, 2, 1]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/sens", 404, "there is no prompt 'sens'; there are: sense"),
        ("/sense?which=9", 404, "prompt 'sense' has no version 9; it has 1, 2"),
        ("/sense?which=staging", 404, "prompt 'sense' has no alias 'staging'; it has production"),
        ("/sense?which=a%20b", 400, "'sense@a b' names no prompt"),
        ("/sense/diff?left=9", 404, "has no version 9"),
        ("/sense/export?format=pdf", 400, "Invalid value for 'format'"),
    ],
)
async def test_what_is_not_there_is_told_with_what_is(path: str, status: int, told: str) -> None:
    async with Gateway().running() as client:
        reply = await client.get(PATH + path)
    assert reply.status == status
    assert told in reply.error["message"]


async def test_a_difference_is_a_diff_of_what_is_served() -> None:
    async with Gateway().running() as client:
        found = (await client.get(f"{PATH}/sense/diff?left=1&right=production")).json()
    assert (found["left"], found["right"]) == (1, 2)
    assert found["lines"][:2] == ["--- sense@1", "+++ sense@2"]
    assert [line for line in found["lines"] if line[1:2] == "v"] == ["-v1: {{ query }}", "+v2: {{ query }}"]


def test_texts_of_several_lines_are_exported_as_blocks_that_people_can_edit() -> None:
    kept = release(("system", "Be brief."), ("user", "Answer.\n\n{{ query }}"), decoding=Decoding())
    assert export_of(kept, "yaml").splitlines()[:8] == [
        "name: sense",
        "messages:",
        "- role: system",
        "  content: Be brief.",
        "- role: user",
        "  content: |-",
        "    Answer.",
        "",
    ]
    assert export_of(kept, "text").splitlines()[-2:] == ["[decoding]", "temperature: 0.0"]


@pytest.mark.parametrize("form", ["yaml", "json"])
async def test_an_export_is_a_release_that_can_be_promoted_again(form: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        text = (await client.get(f"{PATH}/sense/export?format={form}")).body.decode()
        reply = await client.post(f"{PATH}/sense/promote", {"release": yaml.safe_load(text)})
    assert reply.status == 200, reply.body
    ((_, _, promotion),) = gateway.prompts.calls  # type: ignore[union-attr]
    kept = entry(2).release
    assert promotion.release == PromptRelease(**{**dict(kept), "version": 0, "content_hash": ""})


async def test_an_export_as_text_shows_messages_decoding_and_models() -> None:
    async with Gateway().running() as client:
        text = (await client.get(f"{PATH}/sense/export?format=text")).body.decode()
    assert text == "[user]\nv2: {{ query }}\n\n[models]\nsmall\n"


async def test_a_promotion_is_handed_on_audited_and_served_by_this_replica_at_once() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        before = await client.post("/v1/chat/completions", {"model": "prompt:sense", "messages": USER})
        gateway.state.prompts = holding(release(("user", "Q: {{ query }}")))
        reply = await client.post(f"{PATH}/sense/promote", {"release": RELEASE, "alias": "staging"})
        after = await client.post("/v1/chat/completions", {"model": "prompt:sense", "messages": USER})
    assert (before.status, reply.status, after.status) == (404, 200, 200)
    assert (reply.json()["aliases"], reply.json()["release"]["version"]) == (["staging"], 3)
    wanted = PromptPromotion(release=PromptRelease.model_validate(RELEASE), alias="staging")
    assert gateway.prompts.calls == [("promote", "sense", wanted)]  # type: ignore[union-attr]
    told = [(one.action, one.target) for one in gateway.state.events if one.action != "inference"]
    assert told == [("prompts.promote", "sense@3")]


USER = [{"role": "user", "content": "why?"}]


async def test_a_rollback_goes_to_the_alias_and_is_audited() -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        replies = [await client.post(f"{PATH}/sense/rollback{query}") for query in ("", "?alias=staging&version=1")]
    assert [one.status for one in replies] == [200, 200]
    assert gateway.prompts.calls == [  # type: ignore[union-attr]
        ("rollback", "sense", "production", None),
        ("rollback", "sense", "staging", 1),
    ]
    assert [(one.action, one.target) for one in gateway.state.events] == [("prompts.rollback", "sense@1")] * 2


@pytest.mark.parametrize(
    ("body", "param", "told"),
    [
        ({}, None, "give one of release and version"),
        ({"release": RELEASE, "version": 1}, None, "give one of release and version"),
        ({"version": 1, "alias": "v2"}, "alias", "'v2' reads as a version"),
        ({"version": 1, "alias": "latest"}, "alias", "'latest' reads as a version"),
        ({"version": 2**31}, "version", "less than or equal to 2147483647"),
        ({"version": 1, "shadow_share": 0}, "shadow_share", "greater than 0"),
        ({"release": {**RELEASE, "messages": []}}, "release.messages", "at least 1 item"),
    ],
)
async def test_what_cannot_be_promoted_is_refused(body: dict[str, Any], param: str | None, told: str) -> None:
    gateway = Gateway()
    async with gateway.running() as client:
        reply = await client.post(f"{PATH}/sense/promote", body)
    assert (reply.status, reply.error["param"]) == (400, param)
    assert told in reply.error["message"]
    assert gateway.prompts.calls == []  # type: ignore[union-attr]


async def test_a_promotion_that_mlflow_refuses_is_told_and_prompts_are_served_on() -> None:
    gateway = Gateway()
    gateway.state.prompts = holding(release(("user", "Q: {{ query }}")))
    gateway.prompts.error = StorageError("MLflow at x did not take the prompt")  # type: ignore[union-attr]
    async with gateway.running() as client:
        reply = await client.post(f"{PATH}/sense/promote", {"release": RELEASE})
        served = await client.post("/v1/chat/completions", {"model": "prompt:sense", "messages": USER})
    assert (reply.status, reply.error["message"]) == (500, "MLflow at x did not take the prompt")
    assert served.status == 200


async def test_only_admins_may_and_a_gateway_without_registry_says_so() -> None:
    gateway = Gateway(prompts=None)
    key, secret = make_key(spec=KeySpec(name="k", scopes=frozenset({"inference"})))
    async with gateway.running() as client:
        missing = await client.get(PATH)
    gateway.state.keys, gateway.state.reports = [key], []
    async with gateway.running() as client:
        client.secret = secret
        refused = await client.get(PATH)
    assert (missing.status, refused.status) == (503, 403)
