"""A job that is told to stop while the server starts its experiment, whose id it does not have yet."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli.experiment_run import INCOMPLETE
from jobs.run_experiment import main
from tests.unit.gateway.fakes_experiments import COST, status
from tests.unit.loopback import Answer, Loopback, envelope, loopback

PATH = "/admin/v1/experiments"
YAML = "name: study\nmodels: [small]\ndatasets: [mmlu:5]\n"


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    kept = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    with loopback() as state:
        state.answer_json("GET", "/readyz", {})
        state.answer("POST", f"{PATH}/estimate", Answer(body=COST.model_dump_json().encode()))
        state.answer("POST", PATH, Answer(202, status("exp-3", "queued").model_dump_json().encode()))
        state.answer("GET", f"{PATH}/exp-3", Answer(body=status("exp-3", "running").model_dump_json().encode()))
        state.answer("POST", f"{PATH}/exp-3/cancel", Answer(202, status("exp-3").model_dump_json().encode()))
        yield state
    for number, handler in kept.items():
        signal.signal(number, handler)


def stop_at(gateway: Loopback, wanted: tuple[str, str]) -> None:
    """Send SIGTERM to this process when the request comes, and then answer it."""
    answer = gateway.next_answer

    def stopping(method: str, path: str) -> Answer:
        if (method, path.partition("?")[0]) == wanted:
            os.kill(os.getpid(), signal.SIGTERM)
        return answer(method, path)

    gateway.next_answer = stopping  # type: ignore[method-assign]


def run(gateway: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    path = folder / "exp.yaml"
    path.write_text(YAML)
    monkeypatch.setattr(sys, "argv", ["run_experiment.py", str(path), "--url", gateway.url, *words])
    return main()


@pytest.mark.parametrize("moment", [("POST", PATH), ("GET", f"{PATH}/exp-3")])
def test_a_stop_cancels_the_experiment_and_says_how_to_go_on(
    gateway: Loopback,
    moment: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop_at(gateway, moment)
    assert run(gateway, tmp_path, monkeypatch) == INCOMPLETE
    assert [one.path for one in gateway.received].count(f"{PATH}/exp-3/cancel") == 1
    assert "go on with: neuroforge experiment resume exp-3" in capsys.readouterr().err


def test_a_stop_when_it_has_ended_says_where_it_is(
    gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.answer("GET", f"{PATH}/exp-3", Answer(body=status("exp-3").model_dump_json().encode()))
    refusal = envelope("conflict", "experiment 'exp-3' cannot be cancelled: it is done")
    gateway.answer_json("POST", f"{PATH}/exp-3/cancel", refusal, 409)
    stop_at(gateway, ("GET", f"{PATH}/exp-3/analysis"))
    assert run(gateway, tmp_path, monkeypatch) == INCOMPLETE
    assert "it is done; see it by: neuroforge experiment show exp-3" in capsys.readouterr().err


def test_a_stop_before_the_start_starts_nothing(
    gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(gateway, ("POST", f"{PATH}/estimate"))
    assert run(gateway, tmp_path, monkeypatch) == 1
    assert (gateway.received[-1].path, capsys.readouterr().err) == (
        f"{PATH}/estimate",
        "stopped; nothing was started\n",
    )


def keys_of(gateway: Loopback) -> list[str]:
    """Of all starts."""
    return [one.path.partition("start_key=")[2] for one in gateway.received if one.path.startswith(f"{PATH}?")]


def test_the_key_of_a_start_is_told_before_it_and_finds_it_again(
    gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    answer = gateway.next_answer

    def listening(method: str, path: str) -> Answer:
        told.append(capsys.readouterr().err) if "start_key" in path else None
        return answer(method, path)

    gateway.next_answer = listening  # type: ignore[method-assign]
    stop_at(gateway, ("GET", f"{PATH}/exp-3"))
    run(gateway, tmp_path, monkeypatch)
    (key,) = keys_of(gateway)
    assert f"start key: {key}\n" in told[0]
    run(gateway, tmp_path, monkeypatch, "--key", key)
    assert keys_of(gateway) == [key, key]


def test_what_the_killed_job_had_stopped_goes_on(
    gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.answer("POST", PATH, Answer(202, status("exp-3", "cancelled").model_dump_json().encode()))
    gateway.answer("POST", f"{PATH}/exp-3/resume", Answer(202, status("exp-3", "queued").model_dump_json().encode()))
    stop_at(gateway, ("GET", f"{PATH}/exp-3"))
    run(gateway, tmp_path, monkeypatch, "--key", "0a1b2c3d")
    assert [one.path for one in gateway.received].count(f"{PATH}/exp-3/resume") == 1
