import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.gateway.fakes_live_tests import status
from tests.unit.loopback import Answer, Loopback, loopback

PATH = "/admin/v1/live-tests"


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        body = status().model_dump_json().encode()
        state.answer("GET", PATH, Answer(body=b'{"data": [' + body + b"]}"))
        state.answer("POST", PATH, Answer(201, body))
        state.answer("GET", f"{PATH}/known", Answer(body=body))
        state.answer("POST", f"{PATH}/known/stop", Answer(body=body))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home", gateway.url)


def test_a_test_is_made_of_arms_and_their_system_messages(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    (tmp_path / "brief.txt").write_text("Be brief.\n")
    words = ["--target", "auto", "--arm", "control=small", "--arm", "brief=small"]

    result = cli("abtest", "create", "t", *words, "--system", f"brief={tmp_path / 'brief.txt'}", "--share", "0.5")

    assert result.exit_code == 0, result.output
    sent = json.loads(gateway.received[-1].body)
    assert sent["arms"][1] == {"name": "brief", "model_id": "small", "system": "Be brief."}
    assert (sent["share"], sent["mode"]) == (0.5, "ab")


def test_the_status_shows_each_arm_with_intervals(cli: Cli) -> None:
    lines = cli("abtest", "status", "known").stdout.splitlines()

    assert cells(lines[2]) == ["control", "small", "50%", "12", "1", "10", "0.500 [0.250, 0.750]", "-"]
    assert cells(lines[3])[-1] == "+0.125 [-0.250, +0.500]"
    assert lines[-1] == "no difference shown yet"


def test_the_list_has_a_line_a_test(cli: Cli) -> None:
    assert cells(cli("abtest", "list").stdout.splitlines()[1])[:6] == [
        "known", "running", "auto", "ab", "score", "control other",
    ]  # fmt: skip
    assert cli.json("abtest", "list")[0]["spec"]["name"] == "known"


def test_a_test_is_stopped(cli: Cli, gateway: Loopback) -> None:
    assert cli("abtest", "stop", "known").exit_code == 0
    assert gateway.received[-1].path == f"{PATH}/known/stop"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--arm", "small"], "give it as NAME=VALUE"),
        (["--arm", "a=small", "--arm", "a=small"], "arms: "),
        (["--arm", "a=small", "--arm", "b=big", "--system", "c=x"], "no arm is called 'c'"),
        (["--arm", "a=small", "--arm", "b=big", "--system", "b=/nowhere"], "/nowhere cannot be read"),
        (["--arm", "a=small", "--arm", "b=big", "--mode", "shadow"], "use metric success or speed"),
    ],
)
def test_what_cannot_be_is_refused_before_the_server_is_asked(
    cli: Cli, gateway: Loopback, words: list[str], told: str
) -> None:
    result = cli("abtest", "create", "t", "--target", "auto", *words)

    assert result.exit_code != 0
    assert told in result.output
    assert gateway.received == []
