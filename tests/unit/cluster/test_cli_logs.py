import json
import os
from pathlib import Path

import pytest

from cluster.cli.logfiles import LogReader, find_log_files
from cluster.run_state import RunState, write_run_state
from tests.unit.cluster.cli_runner import Cli


@pytest.fixture
def session(tmp_path: Path) -> Path:
    serve = tmp_path / "session" / "logs" / "serve"
    serve.mkdir(parents=True)
    (serve / "replica_model-small_model_abc123.log").write_text("one\ntwo\nthree\n")
    (serve / "replica_model-small_b_model_def456.log").write_text("of small_b\n")
    (serve / "replica_neuroforge_gateway_aaa.log").write_text("from the gateway\n")
    (serve / "controller_77.log").write_text("from the controller\n")
    (serve / "proxy_127.0.0.1.log").write_text("from the proxy\n")
    (serve.parent / "worker-1-ffffffff-9.err").write_text(":job_id:01\n:actor_name:FleetActor\nfrom the fleet\n")
    (serve.parent / "worker-2-ffffffff-8.err").write_text(":job_id:01\n:actor_name:Foreign\nnot ours\n")
    (serve.parent / "worker-3-ffffffff-7.err").write_text("")
    return serve.parent.parent


@pytest.fixture
def cli(tmp_path: Path, session: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    state = RunState(pid=os.getpid(), base_url="http://127.0.0.1:1/v1", started_at_s=1.0, session_dir=str(session))
    write_run_state(home, state)
    return Cli(home)


def test_a_models_lines_are_shown(cli: Cli) -> None:
    cli.config("models: [{id: small}, {id: small_b}]\n")
    assert cli("logs", "small", "-n", "2").stdout == "small | two\nsmall | three\n"
    assert cli("logs", "small_b").stdout == "small_b | of small_b\n"


def test_an_application_of_several_deployments_is_one_model(session: Path) -> None:
    path = session / "logs" / "serve" / "replica_model-big_LLMServer_x_abc.log"
    path.write_text("from vllm\n")
    assert [one.path for one in find_log_files(session, "big", [])] == [path]


def test_json_is_one_object_a_line(cli: Cli) -> None:
    lines = cli("logs", "small", "-n", "1", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"source": "small", "line": "three"}]


def test_without_a_model_everybody_is_shown(cli: Cli, session: Path) -> None:
    sources = {line.split(" | ")[0] for line in cli("logs").stdout.splitlines()}
    assert sources == {"small", "small_b", "gateway", "controller", "proxy", "fleet"}


def test_a_model_without_a_log_exits_1(cli: Cli) -> None:
    result = cli("logs", "other")
    assert (result.exit_code, "no log of model 'other'" in result.stderr) == (1, True)


def test_a_named_session_is_read(tmp_path: Path, session: Path) -> None:
    result = Cli(tmp_path / "empty")("logs", "small", "-n", "1", "--session", str(session))
    assert result.stdout == "small | three\n"


def test_without_any_session_the_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = Cli(tmp_path / "empty")("logs")
    assert (result.exit_code, "--session" in result.stderr) == (1, True)


def test_the_last_session_is_shown_when_nothing_runs(
    tmp_path: Path, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "session_latest").symlink_to(session)
    result = Cli(tmp_path / "empty")("logs", "small", "-n", "1")
    assert (result.stdout, "last session" in result.stderr) == ("small | three\n", True)


def test_following_reads_whole_new_lines_and_new_files(session: Path) -> None:
    path = session / "logs" / "serve" / "replica_model-small_model_abc123.log"
    reader = LogReader(lambda: find_log_files(session, "small", ["small"]))
    assert [line for _, line in reader.tail(1)] == ["three"]
    with path.open("a") as file:
        file.write("four\nfi")
    assert reader.read_new() == [("small", "four")]
    with path.open("a") as file:
        file.write("ve\n")
    path.with_name("replica_model-small_model_zzz999.log").write_text("new\n")
    assert reader.read_new() == [("small", "five"), ("small", "new")]
    assert reader.read_new() == []


def test_following_survives_rotation(session: Path) -> None:
    path = session / "logs" / "serve" / "replica_model-small_model_abc123.log"
    reader = LogReader(lambda: find_log_files(session, "small", ["small"]))
    reader.tail(0)
    path.write_text("anew\n")
    assert reader.read_new() == [("small", "anew")]
