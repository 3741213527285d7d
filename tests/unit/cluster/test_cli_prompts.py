from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroforge.contracts.prompt_serving import PromptDiff
from neuroforge.contracts.prompts import PromptCounts, PromptEntry, PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.prompts.program import to_yaml
from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.gateway.fakes_prompts import release
from tests.unit.loopback import Answer, Loopback, loopback

PROMPTS = "/admin/v1/prompts"
LIVE = PromptEntry(
    release=release(
        ("user", "Q: {{ query }}"),
        version=2,
        models=("small",),
        reason="better by 0.1",
        improvement=Estimate(mean=0.1, low=0.05, high=0.15, n=50),
        tags={"data_hash": "abc"},
        tracked_as="prompts:/sense/2",
    ),
    state="live",
    aliases=("production", "staging"),
    answers=PromptCounts(n_requests=5, n_failures=1, latency_s=3.0, n_prompt_tokens=80, n_completion_tokens=20),
)
SHADOW = PromptEntry(
    release=release(("user", "{{ query }}"), version=3), state="shadow", shadow_of=("production",), note="seen"
)


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        body = ", ".join(one.model_dump_json() for one in (SHADOW, LIVE))
        state.answer("GET", PROMPTS, Answer(body=f'{{"data": [{body}]}}'.encode()))
        state.answer("GET", f"{PROMPTS}/sense", Answer(body=LIVE.model_dump_json().encode()))
        state.answer("GET", f"{PROMPTS}/sense/export", Answer(body=b"[user]\nQ: {{ query }}\n"))
        for path in ("promote", "rollback"):
            state.answer("POST", f"{PROMPTS}/sense/{path}", Answer(body=LIVE.model_dump_json().encode()))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home", gateway.url)


def test_the_list_shows_state_aliases_and_proof(cli: Cli) -> None:
    lines = cli("prompts", "list").stdout.splitlines()
    assert cells(lines[1]) == ["sense", "3", "shadow", "production", "-", "any", "-", "r"]
    assert cells(lines[2]) == [
        "sense", "2", "live", "production, staging", "+0.100 [+0.050, +0.150]", "small", "-", "better by 0.1",
    ]  # fmt: skip
    assert [PromptEntry.model_validate(one) for one in cli.json("prompts", "list")] == [SHADOW, LIVE]


def test_show_tells_what_became_of_it_and_what_it_serves(cli: Cli, gateway: Loopback) -> None:
    assert cli("prompts", "show", "sense@staging").stdout.splitlines() == [
        "sense version 2: live as production, staging; better by 0.1",
        "improvement over the seed: +0.100 [+0.050, +0.150], n=50",
        "variables: query",
        "models: small",
        "tracked as: prompts:/sense/2",
        "data_hash: abc",
        "answered: 5 requests, 1 failed; an answer took 0.75 s, 20 prompt tokens and 5 more",
        "",
        "[user]",
        "Q: {{ query }}",
    ]
    assert gateway.received[0].path == f"{PROMPTS}/sense?which=staging"


def test_a_diff_is_against_production_unless_told_otherwise(cli: Cli, gateway: Loopback) -> None:
    found = PromptDiff(name="sense", left=1, right=2, lines=("-a", "+b"))
    gateway.answer("GET", f"{PROMPTS}/sense/diff", Answer(body=found.model_dump_json().encode()))
    assert cli("prompts", "diff", "sense@1").stdout == "-a\n+b\n"
    assert cli.json("prompts", "diff", "sense@1", "staging")["lines"] == ["-a", "+b"]
    assert [one.path.partition("?")[2] for one in gateway.received] == [
        "left=1&right=production",
        "left=1&right=staging",
    ]


def test_a_program_is_promoted_under_its_name(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    (tmp_path / "program.yaml").write_text(to_yaml(PromptProgram(instruction="Answer.")))
    words = ("program.yaml", "--name", "sense", "--model", "small", "--reason", "why", "--shadow", "0.25")
    assert cli.json("prompts", "promote", *words)["state"] == "live"
    sent = gateway.received[0].json
    assert (sent["alias"], sent["shadow_share"]) == ("production", 0.25)
    assert (sent["release"]["models"], sent["release"]["reason"]) == (["small"], "why")
    assert sent["release"]["messages"] == [{"role": "user", "content": "Answer.\n\n{{ query }}"}]


def test_a_kept_version_is_promoted_by_its_number(cli: Cli, gateway: Loopback) -> None:
    assert cli("prompts", "promote", "sense@2", "--alias", "staging").exit_code == 0
    assert gateway.received[0].json == {"version": 2, "alias": "staging", "shadow_share": None}
    refused = cli("prompts", "promote", "sense@staging")
    assert refused.exit_code == 1
    assert "a kept version is promoted by its number, for example sense@3" in refused.output


def test_what_is_no_file_is_told(cli: Cli) -> None:
    refused = cli("prompts", "promote", "gone.yaml")
    assert refused.exit_code == 1
    assert "gone.yaml does not exist" in refused.output


def test_a_rollback_is_one_command(cli: Cli, gateway: Loopback) -> None:
    assert cli("prompts", "rollback", "sense").stdout.splitlines()[0].startswith("sense version 2: live as")
    cli("prompts", "rollback", "sense", "--alias", "staging", "--version", "1")
    assert [one.path for one in gateway.received] == [
        f"{PROMPTS}/sense/rollback?alias=production",
        f"{PROMPTS}/sense/rollback?alias=staging&version=1",
    ]


def test_an_export_is_printed_or_written(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    assert cli("prompts", "export", "sense", "--text").stdout == "[user]\nQ: {{ query }}\n"
    assert cli("prompts", "export", "sense@2", "--out", "out.yaml").stdout == "written: out.yaml\n"
    assert (tmp_path / "out.yaml").read_text() == "[user]\nQ: {{ query }}\n"
    cli("prompts", "export", "sense", "--json")
    forms = [one.path.partition("?")[2] for one in gateway.received]
    assert forms == ["which=production&format=text", "which=2&format=yaml", "which=production&format=json"]
