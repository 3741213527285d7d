import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cli.config import effective_tree, template_text
from neuroforge.contracts.models import ModelSpec
from neuroforge.settings import Settings, load_settings, settings_from_tree
from tests.unit.cluster.cli_runner import Cli


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home")


def test_show_prints_settings_that_can_be_read_back(cli: Cli) -> None:
    path = cli.config("gateway: {port: 8123}\n")
    shown = cli("config", "show").stdout
    assert shown.startswith(f"# from {path}\n")
    assert settings_from_tree(yaml.safe_load(shown), "test").gateway.port == 8123
    assert cli.json("config", "show")["gateway"]["port"] == 8123


def test_show_takes_a_file_before_or_after_the_command(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("gateway: {port: 8999}\n")
    assert cli.json("config", "show", "--config", str(path))["gateway"]["port"] == 8999
    result = cli("--config", str(path), "config", "show", "--json")
    assert json.loads(result.stdout)["gateway"]["port"] == 8999


def test_show_hides_secrets() -> None:
    tree: dict[str, Any] = {
        "storage": {"database_url": "postgresql://me:hunter2@db:5432/x"},
        "models": [
            {
                "id": "a",
                "engine_options": {"hf_token": "hunter2", "api_key": "hunter2", "deep": {"password": "hunter2"}},
            }
        ],
    }
    shown = effective_tree(settings_from_tree(tree, "test"))
    assert "hunter2" not in str(shown)
    assert shown["storage"]["database_url"] == "postgresql://me:********@db:5432/x"


def test_validate_names_every_problem(cli: Cli) -> None:
    path = cli.config("gateway: {prot: 1}\nray: 5\n")
    result = cli("config", "validate")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == f"{path} is not valid:"
    assert "gateway.prot: unknown key; did you mean 'port'?" in result.stderr
    assert len(cli.json("config", "validate", exit_code=1)["problems"]) == 2


def test_validate_says_what_is_valid(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("models: [{id: a}]")
    assert cli("config", "validate", str(path)).stdout == f"{path} is valid: 1 models (a)\n"
    assert cli.json("config", "validate", str(path))["models"] == ["a"]


def test_other_commands_name_the_problem_too(cli: Cli) -> None:
    cli.config("gateway: {prot: 1}\n")
    result = cli("config", "show")
    assert (result.exit_code, "gateway.prot" in result.stderr) == (1, True)


def test_init_writes_the_defaults(cli: Cli, tmp_path: Path) -> None:
    assert cli("config", "init").stdout == "wrote neuroforge.yaml\n"
    found = load_settings(tmp_path / "neuroforge.yaml", {"NEUROFORGE_HOME": "/h"})
    assert found == settings_from_tree({"storage": {"home": "/h"}}, "test")


def test_init_does_not_overwrite(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "neuroforge.yaml"
    path.write_text("mine")
    result = cli("config", "init")
    assert (result.exit_code, path.read_text()) == (1, "mine")
    assert "--force" in result.stderr
    assert cli("config", "init", "--force").exit_code == 0
    assert cli("config", "init", str(tmp_path / "no" / "such.yaml")).exit_code == 1


def test_the_template_names_every_setting() -> None:
    text = template_text()
    for section, field in Settings.model_fields.items():
        if section == "models":
            continue
        kind = field.annotation
        assert kind is not None
        for name in kind.model_fields:
            assert f"  {name}:" in text or f"  # {name}:" in text, f"{section}.{name}"
    for name in ModelSpec.model_fields:
        assert f" {name}:" in text, name


def test_the_templates_commented_values_are_the_defaults() -> None:
    block = template_text().split("    # engine: llamacpp", 1)[1].split("    tags:", 1)[0]
    lines = ("engine: llamacpp" + block).splitlines()
    tree = yaml.safe_load("\n".join(line.strip().removeprefix("# ") for line in lines if "path:" not in line))
    spec = ModelSpec.model_validate({"id": "smollm2-135m-instruct", **tree})
    assert spec == ModelSpec(id="smollm2-135m-instruct", asset="smollm2-135m-instruct")
