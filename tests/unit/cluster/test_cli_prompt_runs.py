import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.rules import Estimate
from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.gateway.fakes_prompt_runs import PLAN, RESULT, status
from tests.unit.loopback import Answer, Loopback, envelope, loopback

PATH = "/admin/v1/prompt-runs"
PROGRESS = OptimizeProgress(
    phase="searching", generation=2, best=Estimate(mean=0.62, low=0.5, high=0.73, n=20), budget=Budget(max_calls=600)
)


def body(answer: Any) -> Answer:
    return Answer(body=answer.model_dump_json().encode())


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr("neuroforge.client.runs.POLL_S", 0.0)
    with loopback() as state:
        state.answer("POST", f"{PATH}/plan", body(PLAN))
        state.answer("POST", PATH, body(status("opt-1", "queued")))
        state.answer("GET", f"{PATH}/opt-1", body(status(state="running", progress=PROGRESS)), body(status()))
        state.answer("GET", f"{PATH}/opt-1/result", body(RESULT))
        yield state


@pytest.fixture
def cli(gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.yaml").write_text('name: sense\nprompt: "Answer.\\n\\n{{ query }}"\ndataset: mmlu:50\n')
    return Cli(tmp_path / "home", gateway.url)


def sent(gateway: Loopback) -> list[str]:
    return [f"{one.method} {one.path.removeprefix(PATH)}" for one in gateway.received]


def test_optimize_on_the_server_shows_the_plan_and_what_was_found(cli: Cli, gateway: Loopback) -> None:
    shown = cli("optimize", "task.yaml", "--on-server", "--yes")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("small: 25 to search, 12 to selection, 13 to test; at most 600 calls")
    assert RESULT.sentence in shown.stdout
    assert sent(gateway) == ["POST /plan", "POST ", *["GET /opt-1"] * 3, "GET /opt-1/result"]
    assert gateway.received[1].json["dataset"] == {"name": "mmlu", "n": 50}


def test_what_could_not_be_registered_is_shown_with_the_way_to_try_again(cli: Cli, gateway: Loopback) -> None:
    told = OptimizationResult(**{**dict(RESULT), "warnings": ("proven, but not registered: MLflow is down",)})
    gateway.answer("GET", f"{PATH}/opt-1/result", body(told))
    shown = cli("prompts", "status", "opt-1")
    assert "MLflow is down" in shown.stderr
    assert "to try that again: neuroforge prompts resume opt-1" in shown.stderr


def test_the_analysis_is_left_out_where_the_command_says_so(cli: Cli, gateway: Loopback) -> None:
    cli("optimize", "task.yaml", "--on-server", "--yes", "--detach", "--no-analyse")
    assert gateway.received[1].json["analyse"] is False


def test_detached_it_goes_on_in_the_server(cli: Cli, gateway: Loopback) -> None:
    shown = cli("optimize", "task.yaml", "--on-server", "--yes", "--detach")
    assert "opt-1: queued; see: neuroforge prompts status opt-1" in shown.stdout
    assert sent(gateway) == ["POST /plan", "POST "]


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_nothing_starts_before_the_answer_is_yes(cli: Cli, gateway: Loopback, words: tuple[str, ...]) -> None:
    cli("optimize", "task.yaml", "--on-server", *words, piped="n\n")
    assert sent(gateway) == ["POST /plan"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on-server", "--out", "x"), "--out"),
        (("--on-server", "--allow-unsandboxed"), "--allow-unsandboxed"),
        (("--detach",), "--on-server"),
    ],
)
def test_what_does_not_go_together_is_refused(cli: Cli, gateway: Loopback, words: tuple[str, ...], said: str) -> None:
    refused = cli("optimize", "task.yaml", *words)
    assert (refused.exit_code, said in refused.output, sent(gateway)) == (2, True, [])


def test_runs_are_listed_with_their_best_so_far(cli: Cli, gateway: Loopback) -> None:
    running = status("opt-2", "running", progress=PROGRESS).model_dump(mode="json")
    gateway.answer_json("GET", PATH, {"data": [running, status().model_dump(mode="json")]})
    lines = cli("prompts", "runs").stdout.splitlines()
    assert cells(lines[1])[:4] == ["opt-2", "sense", "running", "0.620 [0.500, 0.730]"]
    assert cells(lines[2])[:4] == ["opt-1", "sense", "done", "-"]


def test_a_status_is_of_one_that_runs_or_has_ended(cli: Cli, gateway: Loopback) -> None:
    early = Answer(409, json.dumps(envelope("conflict", "no result.json yet: it is running")).encode())
    gateway.answer("GET", f"{PATH}/opt-1/result", early, body(RESULT))
    running, done = cli("prompts", "status", "opt-1"), cli("prompts", "status", "opt-1")
    assert "opt-1 'sense': running: searching, generation 2" in running.stdout
    assert RESULT.sentence not in running.stdout
    assert RESULT.sentence in done.stdout


def test_resume_follows_and_cancel_waits(cli: Cli, gateway: Loopback) -> None:
    for action in ("resume", "cancel"):
        gateway.answer("POST", f"{PATH}/opt-1/{action}", body(status("opt-1", "queued")))
    assert RESULT.sentence in cli("prompts", "resume", "opt-1").stdout
    gateway.answer("GET", f"{PATH}/opt-1", body(status(state="cancelled")))
    assert cli("prompts", "cancel", "opt-1").stdout == "opt-1: cancelled\n"


def test_a_report_is_written(cli: Cli, gateway: Loopback, tmp_path: Path) -> None:
    gateway.answer("GET", f"{PATH}/opt-1/report", Answer(body=b"<html>"))
    assert "written: r.html" in cli("prompts", "report", "opt-1", "--out", "r.html").stdout
    assert (tmp_path / "r.html").read_bytes() == b"<html>"
