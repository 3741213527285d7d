import pytest

from neuroforge.client import AsyncClient, Client
from neuroforge.contracts.prompt_serving import PromptDiff
from neuroforge.errors import NotFound
from tests.unit.gateway.fakes_prompts import entry
from tests.unit.loopback import Answer, envelope, loopback

PROMPTS = "/admin/v1/prompts"
KNOWN = entry(2, state="live", aliases=("production",))
ONE = Answer(body=KNOWN.model_dump_json().encode())


def test_versions_are_read_as_contracts() -> None:
    diff = PromptDiff(name="sense", left=1, right=2, lines=("+a",))
    with loopback() as gateway, Client(gateway.url) as client:
        gateway.answer("GET", PROMPTS, Answer(body=b'{"data": [%s]}' % KNOWN.model_dump_json().encode()))
        gateway.answer("GET", f"{PROMPTS}/sense", ONE)
        gateway.answer("GET", f"{PROMPTS}/sense/diff", Answer(body=diff.model_dump_json().encode()))
        gateway.answer("GET", f"{PROMPTS}/sense/export", Answer(body="ä".encode()))
        assert client.prompts.list() == client.prompts.list("sense") == (KNOWN,)
        assert client.prompts.get("sense") == client.prompts.get("sense", 2) == KNOWN
        assert client.prompts.diff("sense", 1) == diff
        assert client.prompts.export("sense", form="text") == "ä"
    assert [one.path.removeprefix(PROMPTS) for one in gateway.received] == [
        "",
        "?name=sense",
        "/sense?which=production",
        "/sense?which=2",
        "/sense/diff?left=1&right=production",
        "/sense/export?which=production&format=text",
    ]


def test_changes_go_to_their_routes() -> None:
    release = entry(2).release
    with loopback() as gateway, Client(gateway.url) as client:
        gateway.answer("POST", f"{PROMPTS}/sense/promote", ONE)
        gateway.answer("POST", f"{PROMPTS}/sense/rollback", ONE)
        assert client.prompts.promote(release, shadow_share=0.5) == KNOWN
        client.prompts.promote_version("sense", 2, "staging")
        client.prompts.rollback("sense")
        client.prompts.rollback("sense", "staging", 1)
    assert [one.json for one in gateway.received[:2]] == [
        {"release": release.model_dump(mode="json", exclude_unset=True), "alias": "production", "shadow_share": 0.5},
        {"version": 2, "alias": "staging", "shadow_share": None},
    ]
    assert [one.path.removeprefix(PROMPTS) for one in gateway.received[2:]] == [
        "/sense/rollback?alias=production",
        "/sense/rollback?alias=staging&version=1",
    ]


async def test_the_async_client_promotes_and_raises_what_the_server_says() -> None:
    with loopback() as gateway:
        gateway.answer("POST", f"{PROMPTS}/sense/promote", ONE)
        gateway.answer_json("GET", f"{PROMPTS}/sens", envelope("not_found", "there is no prompt"), 404)
        async with AsyncClient(gateway.url) as client:
            assert await client.prompts.promote(entry(2).release) == KNOWN
            with pytest.raises(NotFound, match="there is no prompt"):
                await client.prompts.get("sens")
