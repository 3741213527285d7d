import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cli.config_edit import add_model
from cluster.cli.models_add import upstream_entry
from cluster.cli.models_fleet import wait_for
from neuroforge.client import Client
from neuroforge.errors import ConfigError, EngineTimeout, ModelNotFound
from neuroforge.settings import load_settings
from tests.fakes import FakeClock
from tests.unit.cluster.cli_runner import Cli, cells, tiny_gguf
from tests.unit.loopback import MODEL, Answer, Loopback, envelope, loopback

DEFAULT_IDS = ["smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct"]


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def cli(tmp_path: Path, gateway: Loopback, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home", gateway.url)


def statuses(*states: str, **more: Any) -> list[Answer]:
    return [Answer(body=json.dumps({"data": [{**MODEL, "state": one, **more}]}).encode()) for one in states]


def test_the_catalog_is_listed(cli: Cli) -> None:
    rows = cli("models", "list").stdout.splitlines()
    assert cells(rows[0]) == ["NAME", "KIND", "HERE", "SIZE", "LICENCE", "FROM"]
    assert cells(rows[1])[:3] == ["smollm2-135m-instruct", "model", "no"]
    assert cli.json("models", "list")[0]["name"] == "smollm2-135m-instruct"


def test_an_unknown_asset_names_the_nearest(cli: Cli) -> None:
    result = cli("models", "show", "smollm2")
    assert result.exit_code == 1
    assert "smollm2-135m-instruct" in result.stderr


def test_a_file_is_added_shown_and_removed(cli: Cli, tmp_path: Path) -> None:
    path = tiny_gguf(tmp_path / "Mine.gguf")
    result = cli("models", "add", str(path), "--licence", "MIT")
    assert result.exit_code == 0, result.output
    config = cli.home / "neuroforge.yaml"
    assert [one.id for one in load_settings(config, {}).models] == [*DEFAULT_IDS, "mine"]
    assert load_settings(config, {}).models[-1].context_length == 2048
    shown = cli("models", "show", "mine").stdout
    assert "mine  (model, MIT)" in shown
    assert "context_length" in shown
    assert cli.json("models", "show", "mine")["facts"]["architecture"] == "llama"
    assert cells(cli("models", "list").stdout.splitlines()[-1])[-1] == "you"
    assert cli("models", "pull", "mine").stdout.startswith("mine: ")
    assert cli("models", "rm", "mine").stdout.startswith("mine: removed")
    assert path.exists()


def test_an_id_that_exists_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    cli.config("models: [{id: mine}]\n")
    result = cli("models", "add", str(tiny_gguf(tmp_path / "mine.gguf")))
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert "mine" not in [one["name"] for one in cli.json("models", "list")]


def test_an_upstream_is_added_below_the_other_models(cli: Cli) -> None:
    text = "# mine\nmodels:\n- id: a   # first\n  tags:\n  - x\n\n# the rest\ngateway:\n  port: 8100\n"
    path = cli.config(text)
    words = ("models", "add", "llama3.2:3b", "--upstream", "http://127.0.0.1:11434/v1", "--api-key-env", "MY_KEY")
    assert cli(*words).exit_code == 0
    after = path.read_text()
    for line in text.splitlines():
        assert line in after
    added = yaml.safe_load(after)["models"][1]
    upstream = {"base_url": "http://127.0.0.1:11434/v1", "model": "llama3.2:3b", "api_key_env": "MY_KEY"}
    assert added == {"id": "llama3.2-3b", "engine": "openai_http", "upstream": upstream}


def test_a_file_that_cannot_be_changed_safely_is_left_alone(cli: Cli) -> None:
    path = cli.config("models: [{id: a}]\n")
    result = cli("models", "add", "b", "--upstream", "http://127.0.0.1:1/v1")
    assert result.exit_code == 0
    assert path.read_text() == "models: [{id: a}]\n"
    assert yaml.safe_load(result.stdout.partition("\n\n")[2])[0]["id"] == "b"


def test_a_bad_upstream_is_refused_before_anything_is_written(cli: Cli) -> None:
    result = cli("models", "add", "b", "--upstream", "localhost:11434")
    assert result.exit_code == 1
    assert "base_url" in result.stderr
    assert not (cli.home / "neuroforge.yaml").exists()


def test_a_key_variable_needs_an_upstream(cli: Cli) -> None:
    assert cli("models", "add", "x.gguf", "--api-key-env", "K").exit_code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "models:\n  - id: d\n  - id: new\n"),
        ("gateway:\n  port: 1", "gateway:\n  port: 1\n\nmodels:\n  - id: d\n  - id: new\n"),
        ("models:\n- id: a\n", "models:\n- id: a\n- id: new\n"),
        ("models:\n    - id: a", "models:\n    - id: a\n    - id: new\n"),
        ("models:\n  - id: a\n    price: {x: 1}  # c\n# end\n", None),
        ("models: []\n", None),
        ("models:\n", None),
    ],
)
def test_only_the_new_lines_differ(text: str, expected: str | None) -> None:
    found = add_model(text, {"id": "new"}, [{"id": "d"}])
    if expected is None and "price" in text:
        assert found == "models:\n  - id: a\n    price: {x: 1}  # c\n  - id: new\n# end\n"
    else:
        assert found == expected


@pytest.mark.parametrize("text", ["- a\n", "a: [", "models: 5\n", "models: [{id: new}]\n"])
def test_a_file_that_is_not_settings_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        add_model(text, {"id": "new"}, [])


def test_the_same_name_needs_no_second_mention() -> None:
    entry = upstream_entry("m", "http://x/v1", None, None)
    assert entry == {"id": "m", "engine": "openai_http", "upstream": {"base_url": "http://x/v1"}}


def test_pull_without_names_means_what_the_settings_need(cli: Cli, tmp_path: Path) -> None:
    cli("models", "add", str(tiny_gguf(tmp_path / "mine.gguf")))
    cli("models", "add", str(tiny_gguf(tmp_path / "router.gguf")))
    cli.config(
        "router: {embedder: router}\n"
        "models: [{id: mine}, {id: far, engine: openai_http, upstream: {base_url: http://x/v1}}]\n"
    )
    assert [one["name"] for one in cli.json("models", "pull")] == ["mine", "router"]


def test_load_starts_and_says_the_state(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", "/admin/v1/models/small/load", {**MODEL, "state": "loading"}, 202)
    assert cli("models", "load", "small").stdout == "small is loading ...\n"
    assert cli.json("models", "load", "small")["state"] == "loading"


def test_a_catalog_model_that_the_settings_do_not_name_is_added_as_it_is(cli: Cli, gateway: Loopback) -> None:
    path = "/admin/v1/models/gemma-3-270m/load"
    unknown = Answer(404, json.dumps(envelope("model_not_found", "not in the fleet")).encode())
    loading = Answer(202, json.dumps({**MODEL, "id": "gemma-3-270m", "state": "loading"}).encode())
    gateway.answer("POST", path, unknown, loading)
    assert cli("models", "load", "gemma-3-270m").stdout == "gemma-3-270m is loading ...\n"
    assert gateway.received[-1].json["id"] == "gemma-3-270m"


def test_a_model_that_nobody_knows_is_not_found(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", "/admin/v1/models/nothing/load", envelope("model_not_found", "not in the fleet"), 404)
    result = cli("models", "load", "nothing")
    assert (result.exit_code, "not in the fleet" in result.stderr) == (1, True)


def test_load_can_wait(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", "/admin/v1/models/small/load", {**MODEL, "state": "loading"}, 202)
    gateway.answer("GET", "/admin/v1/models", *statuses("ready"))
    assert cli("models", "load", "small", "--wait").stdout == "small is ready\n"


def test_a_failed_load_exits_1_with_the_reason(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", "/admin/v1/models/small/load", {**MODEL, "state": "loading"}, 202)
    gateway.answer("GET", "/admin/v1/models", *statuses("failed", error="the file is damaged"))
    result = cli("models", "load", "small", "--wait")
    assert (result.exit_code, result.stderr) == (1, "error: small is failed: the file is damaged\n")


def test_too_little_memory_says_what_would_help(cli: Cli, gateway: Loopback) -> None:
    body = envelope("out_of_memory", "needs 9 GiB; a context of 2048 would fit")
    gateway.answer_json("POST", "/admin/v1/models/small/load", body, 507)
    result = cli("models", "load", "small")
    assert (result.exit_code, "models unload" in result.stderr) == (1, True)


def test_unload_and_scale_say_the_state(cli: Cli, gateway: Loopback) -> None:
    gateway.answer_json("POST", "/admin/v1/models/small/unload", {**MODEL, "state": "unloading"}, 202)
    gateway.answer_json("POST", "/admin/v1/models/small/scale", MODEL, 202)
    assert cli("models", "unload", "small").stdout == "small is unloading ...\n"
    assert cli("models", "scale", "small", "--min", "0", "--max", "2").stdout == "small is ready\n"
    assert gateway.received[-1].json == {"min": 0, "max": 2}
    assert cli("models", "scale", "small", "--min", "3", "--max", "2").exit_code == 2


def test_waiting_goes_on_until_the_state_is_reached(gateway: Loopback) -> None:
    gateway.answer("GET", "/admin/v1/models", *statuses("failed", "loading", "ready"))
    clock = FakeClock()
    with Client(gateway.url) as client:
        assert wait_for(client, "small", "ready", 60, clock.advance, clock).state == "ready"
    assert clock.now_s == 1001.0


def test_waiting_ends_with_the_time_or_the_model(gateway: Loopback) -> None:
    gateway.answer("GET", "/admin/v1/models", *statuses("loading"))
    clock = FakeClock()
    with Client(gateway.url) as client:
        with pytest.raises(EngineTimeout, match="still loading after 3 s"):
            wait_for(client, "small", "ready", 3, clock.advance, clock)
        with pytest.raises(ModelNotFound):
            wait_for(client, "other", "ready", 3, clock.advance, clock)
