import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest
import typer
from typer.main import get_command

from cluster.cli.app import app
from cluster.cli.failures import explain, report_bug
from cluster.cli.output import age_text, bytes_text
from cluster.run_state import RunState, read_live_run_state, read_run_state, remove_run_state, write_run_state
from neuroforge.errors import AuthenticationError, ConfigError, EngineUnavailable
from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.loopback import MODEL, STATUS, Loopback, envelope, loopback

NOBODY = "http://127.0.0.1:1"
LOADED = {
    **MODEL,
    "context_length": 2048,
    "stats": {"slots_total": 4, "slots_busy": 1, "queued": 2, "resident_bytes": 3 * 1024**2, "s_per_token": 0.05},
}


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def cli(tmp_path: Path, gateway: Loopback, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home", gateway.url)


def all_commands() -> list[tuple[str, ...]]:
    def walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*path, name))

    return list(walk(get_command(app), ()))


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_every_command_explains_itself(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli(*words, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_every_command_that_prints_a_table_prints_json_too() -> None:
    without_json = {"serve", "dev", "init"}
    for words in all_commands():
        command = get_command(app)
        for word in words:
            command = command.commands[word]  # type: ignore[attr-defined]
        is_leaf = not hasattr(command, "commands")
        if is_leaf and (words[-1] not in without_json or words == ("config", "serve")):
            assert any("--json" in one.opts for one in command.params), words


def test_help_does_not_import_what_takes_long() -> None:
    program = (
        "import sys; sys.argv = ['neuroforge', '--help']\n"
        "from cluster.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('ray', 'pydantic', 'sqlalchemy', 'aiohttp', 'yaml', 'psutil', 'requests')\n"
        "print('imported:', [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cluster.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "neuroforge 0.1.0\n"


def test_an_unknown_command_is_a_usage_error(cli: Cli) -> None:
    assert cli("srve").exit_code == 2
    assert cli("models", "scale", "small").exit_code == 2


def test_an_error_is_one_line_with_the_remedy(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json(
        "GET", "/admin/v1/models", envelope("invalid_api_key", "a key is needed"), 401, x_request_id="r1"
    )
    result = cli("models", "ps")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == "error: a key is needed"
    assert "NEUROFORGE_API_KEY" in result.stderr
    assert "request r1" in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(cli: Cli) -> None:
    result = cli("--debug", "models", "ps", NEUROFORGE_URL=NOBODY)
    assert isinstance(result.exception, EngineUnavailable)


def test_nobody_there_says_how_to_start(cli: Cli) -> None:
    result = cli("models", "ps", NEUROFORGE_URL=NOBODY)
    assert result.exit_code == 1
    assert "neuroforge serve" in result.stderr


def test_an_unforeseen_error_does_not_show_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    def raised() -> tuple[ValueError, TracebackType | None]:
        try:
            raise ValueError("the secret prompt")
        except ValueError as error:
            return error, error.__traceback__

    error, trace = raised()
    report_bug(ValueError, error, trace)
    said = capsys.readouterr().err
    assert "unexpected ValueError at" in said
    assert "secret" not in said


def test_remedies_are_not_said_twice() -> None:
    assert explain(ConfigError("wrong; check the file with `neuroforge config validate`")).count("validate") == 1
    assert "NEUROFORGE_API_KEY" in explain(AuthenticationError("no"))


def test_the_key_of_the_environment_is_sent(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("GET", "/admin/v1/models", {"data": []})
    assert cli("models", "ps", NEUROFORGE_API_KEY="nf-a-b").stdout == "no models\n"
    assert gateway.received[0].headers["authorization"] == "Bearer nf-a-b"


def test_status_shows_the_models(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("GET", "/admin/v1/status", {**STATUS, "models": [LOADED]})
    result = cli("status")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "NeuroForge 0.1.0 is ready, up 12s"
    assert cells(result.stdout.splitlines()[-1])[:8] == ["small", "ready", "1", "1/4", "2", "3.0 MiB", "2048", "20.0"]


def test_status_says_what_is_missing(cli: Cli, gateway: Loopback) -> None:
    missing = [{"id": "small", "state": "loading"}]
    gateway.answer_json("GET", "/admin/v1/status", {**STATUS, "is_ready": False, "missing": missing})
    assert "starting (small loading)" in cli("status").stdout


def test_status_as_json_is_one_document(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("GET", "/admin/v1/status", {**STATUS, "models": [LOADED]})
    found = cli.json("status")
    assert (found["is_running"], found["base_url"]) == (True, f"{gateway.url}/v1")
    assert found["models"][0]["stats"]["slots_busy"] == 1


def test_status_without_a_server_exits_1(cli: Cli) -> None:
    result = cli("status", NEUROFORGE_URL=NOBODY)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"not running: nothing answers at {NOBODY}")
    assert cli.json("status", exit_code=1, NEUROFORGE_URL=NOBODY)["is_running"] is False


def test_the_server_of_this_home_is_found(tmp_path: Path, gateway: Loopback) -> None:
    home = tmp_path / "home"
    gateway.answer_json("GET", "/admin/v1/status", STATUS)
    dashboard = "http://127.0.0.1:8265"
    state = RunState(pid=os.getpid(), base_url=f"{gateway.url}/v1", started_at_s=1.0, dashboard_url=dashboard)
    write_run_state(home, state)
    assert f"dashboard  {dashboard}" in Cli(home)("status").stdout


def test_a_table_has_no_colour_in_a_pipe(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("GET", "/admin/v1/models", {"data": [LOADED]})
    assert "\x1b" not in cli("models", "ps").output


def test_apply_prints_the_difference(cli: Cli, gateway: Loopback) -> None:
    changes = [
        {"model_id": "a", "kind": "update", "fields": ["threads"], "needs_restart": True},
        {"model_id": "b", "kind": "none"},
    ]
    gateway.answer_json("POST", "/admin/v1/apply", {"changes": changes, "applied": False})
    path = cli.config("models: [{id: a}, {id: b}]")
    result = cli("apply", str(path), "--dry-run")
    assert cells(result.stdout.splitlines()[1]) == ["a", "update", "threads", "yes"]
    assert result.stdout.splitlines()[-1] == "nothing was changed (dry run)"
    sent = gateway.received[0].json
    assert (sent["dry_run"], [one["id"] for one in sent["models"]]) == (True, ["a", "b"])


def test_apply_without_a_difference_says_so(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", "/admin/v1/apply", {"changes": [], "applied": True})
    assert cli("apply").stdout == "nothing differs\n"


def test_the_description_is_private_and_goes_away(tmp_path: Path) -> None:
    state = RunState(pid=os.getpid(), base_url="http://127.0.0.1:8000/v1", started_at_s=1.0)
    write_run_state(tmp_path, state)
    path = tmp_path / "run" / "server.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["pid"] == os.getpid()
    assert read_run_state(tmp_path) == read_live_run_state(tmp_path) == state
    remove_run_state(tmp_path)
    remove_run_state(tmp_path)
    assert read_run_state(tmp_path) is None
    assert [one.name for one in path.parent.iterdir()] == []


def test_a_dead_servers_description_is_not_live(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    write_run_state(tmp_path, RunState(pid=int(ended.stdout), base_url="http://127.0.0.1:8000", started_at_s=1.0))
    assert read_live_run_state(tmp_path) is None


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 1024**3, "3.0 GiB"), (2**52, "4096.0 TiB")],
)
def test_bytes_are_readable(n_bytes: int | None, text: str) -> None:
    assert bytes_text(n_bytes) == text


@pytest.mark.parametrize(
    ("since_s", "text"),
    [(None, "-"), (1000.0, "0s"), (958.0, "42s"), (700.0, "5m"), (-9800.0, "3h"), (-171_800.0, "2d")],
)
def test_ages_are_readable(since_s: float | None, text: str) -> None:
    assert age_text(since_s, 1000.0) == text


def test_the_root_command_fails_clearly() -> None:
    assert isinstance(get_command(app), typer.core.TyperGroup)


def test_stopping_without_a_server_says_so(cli: Cli) -> None:
    assert cli("stop").stdout == "nothing was running\n"
    assert cli.json("stop") == {"stopped": False}


@pytest.mark.parametrize("word", ["serve", "dev"])
def test_broken_settings_are_named_before_anything_starts(cli: Cli, word: str) -> None:
    path = cli.config("gateway: {prot: 1}\n")
    result = cli(word, "--config", str(path))
    assert (result.exit_code, "gateway.prot: unknown key" in result.stderr) == (1, True)
