from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroforge.contracts.rules import Estimate, Exclusion, Pin, RoutingRules, RulesEntry
from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.gateway.fakes_rules import REPLAY
from tests.unit.loopback import Answer, Loopback, envelope, loopback

RULES = "/admin/v1/router/rules"
LIVE = RulesEntry(
    rules=RoutingRules(version=2, reason="b is slow", exclusions=(Exclusion(model_id="b", task="code"),)),
    proposal_id="rules-2",
    state="applied",
    applied_at_s=1.0,
)
PROPOSED = RulesEntry(
    rules=RoutingRules(reason="a is better", evidence="exp-1", pins=(Pin(model_id="a", task="code"),)),
    proposal_id="rules-3",
    state="shadow",
    base_version=2,
    replay=REPLAY,
    shadow=Estimate(mean=0.01, low=-0.01, high=0.03, n=42),
    note="seen",
)
DEFAULTS = RulesEntry(rules=RoutingRules(), proposal_id="defaults", state="superseded")


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        body = ", ".join(one.model_dump_json() for one in (PROPOSED, LIVE, DEFAULTS))
        state.answer("GET", RULES, Answer(body=f'{{"data": [{body}]}}'.encode()))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home", gateway.url)


def answer(gateway: Loopback, path: str, entry: RulesEntry, status: int = 200) -> None:
    gateway.answer("POST", f"{RULES}{path}", Answer(status, entry.model_dump_json().encode()))


def test_the_list_shows_state_gain_and_evidence(cli: Cli) -> None:
    lines = cli("router", "rules", "list").stdout.splitlines()
    assert cells(lines[1]) == [
        "rules-3", "-", "shadow", "+0.020 [+0.010, +0.030]", "250", "+0.010 [-0.010, +0.030]", "-", "a is better",
    ]  # fmt: skip
    assert cells(lines[2])[:3] == ["rules-2", "2", "applied"]
    assert cells(lines[3])[:3] == ["defaults", "0", "superseded"]


def test_json_holds_the_whole_entries(cli: Cli) -> None:
    assert [RulesEntry.model_validate(one) for one in cli.json("router", "rules", "list")] == [PROPOSED, LIVE, DEFAULTS]


def test_show_tells_demands_and_evidence(cli: Cli) -> None:
    assert cli("router", "rules", "show", "rules-3").stdout.splitlines() == [
        "rules-3: shadow; a is better",
        "evidence: exp-1",
        "replay on 800 scored decisions, 300 of which would change (effective sample size 250.0): quality 0.500 -> "
        "0.500, gain +0.020 [+0.010, +0.030]",
        "shadow on 42 live decisions: predicted gain +0.010 [-0.010, +0.030]",
        "note: seen",
        "+ pin code: a",
    ]


@pytest.mark.parametrize("which", [(), ("live",), ("2",), ("rules-2",)])
def test_rules_are_found_by_version_and_id_and_the_live_ones_without(cli: Cli, which: tuple[str, ...]) -> None:
    assert cli.json("router", "rules", "show", *which)["proposal_id"] == "rules-2"


def test_version_0_is_the_defaults_and_no_proposal(cli: Cli) -> None:
    assert cli.json("router", "rules", "show", "0")["proposal_id"] == "defaults"


def test_an_unknown_name_tells_the_known_ones(cli: Cli) -> None:
    result = cli("router", "rules", "show", "7")
    assert result.exit_code == 1
    assert "no rules are called '7'; known: live, a version, rules-3, rules-2, defaults" in result.stderr


def test_the_diff_goes_from_the_rules_in_force_to_the_named_ones(cli: Cli) -> None:
    assert cli("router", "rules", "diff", "rules-3").stdout.splitlines() == ["- exclude code: b", "+ pin code: a"]
    assert cli.json("router", "rules", "diff", "0", "2") == {
        "from": "rules-2", "to": "defaults", "changes": ["- exclude code: b"],
    }  # fmt: skip
    assert cli("router", "rules", "diff", "live").stdout == "nothing differs\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rules.yaml", "reason: why\npins:\n- {model_id: a, task: code}\n"),
        ("rules.json", '{"reason": "why", "pins": [{"model_id": "a", "task": "code"}]}'),
    ],
)
def test_a_proposal_is_read_from_a_file(cli: Cli, gateway: Loopback, name: str, text: str) -> None:
    Path(name).write_text(text)
    answer(gateway, "", PROPOSED, 201)
    result = cli("router", "rules", "propose", name)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "rules-3: shadow; a is better")
    assert gateway.received[0].json == {"reason": "why", "pins": [{"model_id": "a", "task": "code"}]}


def test_a_refused_proposal_is_printed_and_fails(cli: Cli, gateway: Loopback) -> None:
    Path("rules.yaml").write_text("explore: false")
    note = "not enough evidence: effective sample size 12.0"
    answer(gateway, "", RulesEntry(rules=RoutingRules(), proposal_id="rules-4", state="refused", note=note), 201)
    result = cli("router", "rules", "propose", "rules.yaml")
    assert (result.exit_code, f"note: {note}" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "rules.yaml: [Errno 2] No such file"),
        ("pins: [", "rules.yaml: while parsing"),
        ("- a", "rules are a mapping, for example `pins: [{model_id: small, task: code}]`"),
        ("pins: [{model_id: a, task: cooking}]", "rules.yaml: pins.0.task: Input should be 'code', 'math'"),
        ("pins: [{model_id: a}, {model_id: b}]", "rules.yaml: two pins for every task"),
        ("pinned: []", "rules.yaml: pinned: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_is_told_with_file_and_rule(cli: Cli, text: str | None, told: str) -> None:
    if text is not None:
        Path("rules.yaml").write_text(text)
    result = cli("router", "rules", "propose", "rules.yaml")
    assert (result.exit_code, told in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("shadow", "rules-3"), "/rules-3/shadow"),
        (("apply", "rules-3"), "/rules-3/apply"),
        (("apply", "rules-3", "--force"), "/rules-3/apply?force=true"),
        (("rollback",), "/rollback"),
        (("rollback", "1"), "/rollback?version=1"),
    ],
)
def test_changes_reach_the_server(cli: Cli, gateway: Loopback, words: tuple[str, ...], path: str) -> None:
    answer(gateway, path.partition("?")[0], LIVE)
    assert cli("router", "rules", *words).stdout == "rules-2: applied, version 2; b is slow\n"
    assert gateway.received[0].path == f"{RULES}{path}"


def test_what_the_replay_refuses_is_one_line(cli: Cli, gateway: Loopback) -> None:
    refused = envelope("conflict", "proposal rules-3 is refused: not enough evidence")
    gateway.answer_json("POST", f"{RULES}/rules-3/apply", refused, 409)
    result = cli("router", "rules", "apply", "rules-3")
    assert (result.exit_code, result.stderr) == (1, "error: proposal rules-3 is refused: not enough evidence\n")
